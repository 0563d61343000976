"""Charts are read in a real browser: with the mouse, with keys, and by a click on a bar."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from ledger.models import LedgerEntry
from tests.browsers import evaluated
from tests.conftest import CloseSessions
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import move
from tests.portal.session.test_session_figures import report
from tests.readers import SIZES, Reader, reader_at

WHOLE = "[...document.querySelectorAll('.history .place')].every((one) => one.scrollWidth <= one.clientWidth)"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["wide", "narrow"])
def reader(request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer, owner: User) -> Iterator[Reader]:
    found = reader_at(chromium, live_server.url, request.param)
    found.login(owner)
    yield found
    found.look()
    found.context.close()


def test_bars_say_their_value_and_lead_to_their_days(reader: Reader, close_sessions: CloseSessions) -> None:
    _first, second, third = close_sessions(3)  # all on 1 March
    move(second, started_at="2026-03-10T08:00:00Z", stopped_at="2026-03-10T08:45:00Z")
    move(third, started_at="2026-03-20T08:00:00Z", stopped_at="2026-03-20T08:45:00Z")
    reader.go("/")
    bars = reader.page.get_by_role("list", name="Energy, kWh").get_by_role("link")
    expect(bars).to_have_count(3)
    expect(bars.nth(1)).to_have_accessible_name("Tue 10 Mar 2026: 7.78 kWh")
    bars.nth(1).hover()
    expect(bars.nth(1).locator(".tip")).to_have_css("opacity", "1")
    bars.nth(0).focus()  # one stop of the tab key, then arrows
    for key, place in (("ArrowRight", 1), ("End", 2), ("ArrowLeft", 1)):
        reader.page.keyboard.press(key)
        expect(bars.nth(place)).to_be_focused()
    reader.page.mouse.move(0, 0)
    expect(bars.nth(1).locator(".tip")).to_have_css("opacity", "1")
    expect(bars.nth(2).locator(".tip")).to_have_css("opacity", "0")
    reader.page.keyboard.press("Enter")
    reader.page.wait_for_url("**/?from=2026-03-10&to=2026-03-10")
    reader.fine("a-day")


def test_on_a_telephone_the_list_begins_on_the_first_screen(reader: Reader, close_sessions: CloseSessions) -> None:
    place = "Car park behind the northern station of the city railway, level minus three"
    for session in close_sessions(3):
        move(session, location={"name": place, "time_zone": "Europe/Berlin"})
    reader.go("/")
    rows = reader.page.locator("tr[data-session]")
    box, link = rows.first.bounding_box(), rows.first.get_by_role("link").bounding_box()
    assert box and link and link["height"] >= 44
    assert evaluated(reader.page, WHOLE), "the places are not cut"
    head = reader.page.locator("header.top").bounding_box()
    assert head and head["height"] < 60, "one line"
    if reader.width == SIZES["narrow"][0]:
        assert box["y"] < SIZES["narrow"][1]
        assert "block" not in rows.first.inner_text()
        reader.press("Statements")
        reader.sees("Statements")
    reader.fine("first-screen")


def test_a_curve_says_its_values(reader: Reader, make_session: MakeSession) -> None:
    session = make_session()
    power = [(minute, "Power.Active.Import", str(1_000 * minute), "W") for minute in range(1, 45)]
    report(session, *power)
    LedgerEntry.objects.filter(session=session).delete()
    reader.go(f"/sessions/{session.pk}")
    figure = reader.page.locator("figure.curve")
    expect(figure.locator(".axis-name")).to_have_text("Time, CET")
    slider = reader.page.get_by_role("slider", name="Power at a time")
    slider.focus()
    reader.page.keyboard.press("ArrowRight")
    expect(figure.locator("output")).to_have_text("1 Mar 2026, 09:02:00 CET: 2.0 kW")
    expect(slider).to_have_attribute("aria-valuetext", "1 Mar 2026, 09:02:00 CET: 2.0 kW")
    box = figure.locator(".plot").bounding_box()
    assert box is not None
    reader.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(figure.locator("output")).to_have_text("1 Mar 2026, 09:22:00 CET: 22.0 kW")
    reader.fine("curve")
