"""Pages that update themselves, in a real browser: a charge that goes on and ends, and a server that is away."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from stations.charging.sessions import session_close
from stations.models import ChargingSession, Connector, IdToken
from tests.browsers import evaluated
from tests.people import log_in
from tests.readers import PATIENCE_MS
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
# All words of the page but those that were opened, and the buttons that a script adds.
SAID = """(() => {
  const main = document.querySelector("main").cloneNode(true);
  main.querySelectorAll("button, output, [data-stale]").forEach((one) => one.remove());
  return main.textContent.replace(/\\s+/g, " ");
})()"""
REFRESH_MS = 3_500  # after 3 s a page that moves is read again


@pytest.fixture
def active(connector: Connector, id_token: IdToken) -> ChargingSession:
    return ChargingSession.objects.create(
        station=connector.station,
        connector=connector,
        transaction_id="now",
        customer=id_token.customer,
        id_token=id_token,
        location={"name": "Harbour office", "time_zone": "Europe/Berlin"},
        started_at=timezone.now() - timedelta(minutes=30),
        meter_start_wh=1_000,
        source="STATION",
    )


def report(session: ChargingSession, minutes: int, register: int) -> None:
    session.meter_values.create(sampled_at=session.started_at + timedelta(minutes=minutes), value=Decimal(register))


@pytest.fixture
def page(chromium: Browser, live_server: LiveServer, owner: User) -> Iterator[Page]:
    """A page of the owner's; its console has to stay silent. Its clock goes on as fast as a test wants."""
    client = Client()
    log_in(client, owner)
    context = chromium.new_context(viewport={"width": 390, "height": 844}, base_url=live_server.url)
    value = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": live_server.url}])
    context.set_default_timeout(PATIENCE_MS)
    shown = context.new_page()
    shown.clock.install()
    complaints: list[str] = []
    shown.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    # The server may be away in a test: what the browser says of that is no complaint about the page.
    yield shown
    assert [words for words in complaints if "Failed to load resource" not in words] == []
    context.close()


def test_a_charge_is_followed_to_its_end(page: Page, active: ChargingSession) -> None:
    report(active, 5, 2_000)
    page.goto(f"/sessions/{active.pk}")
    live = page.locator("#session")
    expect(live).to_contain_text("1.00 kWh")
    page.get_by_text("Show 1 value").click()
    report(active, 10, 3_500)
    page.clock.run_for(REFRESH_MS)
    expect(live).to_contain_text("2.50 kWh")
    expect(live).to_contain_text("18.0 kW")  # 1.5 kWh in five minutes
    expect(live.get_by_role("img", name="Power over time")).to_be_visible()
    expect(page.locator("#readings")).to_have_attribute("open", "")  # what was opened stays open
    session_close(session=active, stopped_at=timezone.now(), meter_stop_wh=5_000)
    page.clock.run_for(REFRESH_MS)
    expect(live).to_contain_text("4.00 kWh")
    expect(live).to_contain_text("Being recorded")
    assert evaluated(page, "document.documentElement.scrollWidth") <= 390
    followed = evaluated(page, SAID)
    page.reload()
    assert evaluated(page, SAID) == followed  # no part of it went on saying what was so before
    assert "still charging" not in followed and " since " not in followed.partition("Being recorded")[0]


def test_the_history_follows_it_too_and_then_rests(page: Page, active: ChargingSession) -> None:
    report(active, 5, 2_000)
    page.goto("/")
    expect(page.locator("#charging")).to_contain_text("1.00 kWh")
    report(active, 10, 3_500)
    page.clock.run_for(REFRESH_MS)
    expect(page.locator("#charging")).to_contain_text("2.50 kWh")
    # An INVALID session without a record: nothing moves any more, so nothing is asked any more.
    now = timezone.now()
    ChargingSession.objects.filter(pk=active.pk).update(status="INVALID", stopped_at=now, statement_month=now.date())
    page.clock.run_for(REFRESH_MS)
    expect(page.locator("#charging")).to_be_empty()
    expect(page.locator(f'tr[data-session="{active.pk}"]')).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert evaluated(page, "document.readyState") == "complete" and asked == []


def test_while_the_server_is_away_it_says_so_and_asks_less(page: Page, active: ChargingSession) -> None:
    page.goto(f"/sessions/{active.pk}")
    asked: list[str] = []
    ended: list[str] = []
    for event in ("requestfinished", "requestfailed"):
        page.on(event, lambda request: ended.append(request.url))
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/sessions/*", lambda route: route.abort())
    page.clock.run_for(REFRESH_MS)
    expect(page.locator("[data-stale=later]")).to_be_visible()
    for _ in range(4):
        page.clock.run_for(3_000)
        until(lambda: evaluated(page, "true") and len(ended) >= len(asked), what="it noticed that nobody answers")
    assert len(asked) <= 3  # after 3 s, then 6 s later, then 12 s later
    page.unroute("**/sessions/*")
    report(active, 5, 2_000)
    page.clock.run_for(60_000)
    expect(page.locator("#session")).to_contain_text("1.00 kWh")
    expect(page.locator("[data-stale=later]")).to_be_hidden()


def test_who_is_logged_out_meanwhile_is_told(page: Page, active: ChargingSession) -> None:
    page.goto(f"/sessions/{active.pk}")
    page.context.clear_cookies()
    page.clock.run_for(REFRESH_MS)
    expect(page.locator("[data-stale=ended]")).to_be_visible()
    expect(page.locator("#session")).to_contain_text("Charging for")  # what was seen stays
