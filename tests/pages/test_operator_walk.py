"""An operator's day in a real browser: a station, an import with errors, a credit, what is sent again, a customer."""

import csv
import io
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role
from ledger.models import LedgerEntry
from stations import tasks
from stations.models import ChargingSession, Site, Station
from tests.pages.conftest import MakeSession
from tests.people import person
from tests.readers import Reader, reader_at
from tests.stations.test_imports_admin import row, text_of

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "The meter was read wrong, he called."


@pytest.fixture(params=[("wide", "light", "en"), ("narrow", "dark", "de")], ids=["wide", "narrow"])
def olga(request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer) -> Iterator[Reader]:
    """The second one's browser asks for German; the admin is English all the same."""
    reader = reader_at(chromium, live_server.url, *request.param)
    reader.login(person("olga", Role.OPERATOR))
    yield reader
    reader.context.close()


def test_an_operators_day(olga: Reader, site: Site, make_session: MakeSession) -> None:
    session, refused = make_session(), make_session("CONFLICT")
    LedgerEntry.objects.filter(session=refused).update(conflict="the chain has another digest")
    olga.go("/admin/")
    expect(olga.page.locator("html")).to_have_attribute("lang", "en")
    makes_a_station(olga)
    imports_with_errors(olga)
    imports(olga)
    credits(olga, session)
    sends_again(olga, session, refused)
    reads_as_the_customer(olga)


def makes_a_station(olga: Reader) -> None:
    """With an outlet, its site found by typing; its credential is shown once."""
    page = olga.page
    olga.go("/admin/stations/station/add/")
    page.get_by_label("Identity").fill("CP-QUAY-2")
    page.get_by_role("combobox", name="Site").click()
    page.locator(".select2-search__field").fill("harb")
    olga.look()
    page.locator(".select2-results__option", has_text="Harbour office").click()
    expect(page.get_by_role("combobox", name="Site: Harbour office")).to_be_visible()
    page.get_by_text("Add another Connector").click()
    page.locator("#id_connectors-0-max_power_w").fill("22000")
    olga.fine("station-filled")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_role("link", name="Set a new credential").click()
    page.get_by_role("button", name="Set a new credential").click()
    credential = page.locator(".ev-secret code").inner_text()
    olga.fine("station-credential")
    page.get_by_role("link", name="Back to CP-QUAY-2").click()
    assert len(credential) > 16 and credential not in page.content()
    station = Station.objects.get(identity="CP-QUAY-2")
    assert station.credential_hash and station.connectors.get().max_power_w == 22_000


def uploads(olga: Reader, name: str, content: bytes) -> None:
    """The page looks again by itself until the worker has checked the file."""
    page = olga.page
    olga.go("/admin/stations/importrun/add/")
    page.get_by_label("File").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_role("heading", name="The file is being checked")).to_be_visible()
    tasks.import_sweep()
    expect(page.get_by_role("heading", name="Checked: nothing is stored yet")).to_be_visible()


def imports_with_errors(olga: Reader) -> None:
    """What would stay out is said line by line, and as a file; nothing was stored."""
    page, before = olga.page, ChargingSession.objects.count()
    uploads(olga, "bad.csv", text_of(row(1), row(2, kwhTotal="=1+1"), row(3, ended="2015-01-05 07:00:00")))
    expect(page.get_by_text("a number from 0 to 999999999")).to_be_visible()
    olga.fine("import-checked")
    report = olga.downloads(page.get_by_role("link", name="Download all 2 as CSV")).decode()
    assert [found["line"] for found in csv.DictReader(io.StringIO(report))] == ["3", "4"]
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Cancelled: nothing was stored")).to_be_visible()
    assert ChargingSession.objects.count() == before


def imports(olga: Reader) -> None:
    before = ChargingSession.objects.count()
    uploads(olga, "good.csv", text_of(row(1), row(2), row(3)))
    olga.page.get_by_role("button", name="Import 3 sessions from good.csv").click()
    tasks.import_sweep()
    expect(olga.page.get_by_role("heading", name="Imported")).to_be_visible()
    olga.fine("import-done")
    assert ChargingSession.objects.count() == before + 3


def credits(olga: Reader, session: ChargingSession) -> None:
    """What it would do is shown before it is done, and the driver's history has it afterwards."""
    page = olga.page
    olga.go(f"/admin/stations/chargingsession/{session.pk}/change/")
    page.get_by_role("link", name="Credit this session").click()
    page.get_by_label("Reason").fill("no")
    page.get_by_role("button", name="Show what would happen").click()
    expect(page.locator(".errorlist")).to_be_visible()
    olga.fine("credit-refused")
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Show what would happen").click()
    expect(page.get_by_role("row", name="Its credit")).to_contain_text("-7.78")
    olga.fine("credit-effect")
    page.get_by_role("button", name=f"Credit session {session.transaction_id}").click()
    expect(page.locator(".messagelist")).to_contain_text("The session is credited by")
    expect(page.get_by_role("heading", name="This session was credited")).to_be_visible()
    olga.fine("credited")
    assert ChargingSession.objects.get(credit_reference=session).energy_wh == -7_780


def sends_again(olga: Reader, recorded: ChargingSession, refused: ChargingSession) -> None:
    """Both are chosen: the one that conflicts is put back to work, of the other it is said why not."""
    page = olga.page
    olga.go("/admin/ledger/ledgerentry/")
    for session in (recorded, refused):
        entry = LedgerEntry.objects.get(session=session)
        page.locator(f"input.action-select[value='{entry.pk}']").check()
    page.locator("select[name=action]").select_option(label="Send again")
    page.get_by_role("button", name="Go", exact=True).click()
    said = page.locator(".messagelist")
    expect(said).to_contain_text("1 entry is put back to work.")
    expect(said).to_contain_text("there is nothing to send")
    olga.fine("sent-again")
    entry = LedgerEntry.objects.get(session=refused)
    assert (entry.conflict, entry.transaction) == ("", None)


def reads_as_the_customer(olga: Reader) -> None:
    """The customer's own pages, in the reader's language again, under a banner that cannot be overlooked."""
    page = olga.page
    olga.go("/admin/support/?q=anna")
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Read the charges of anna").click()
    expect(page.locator(".support-banner")).to_contain_text(olga.says("Reason:"))
    expect(page.locator("html")).to_have_attribute("lang", olga.language)
    olga.fine("support-view")
    olga.press("End the support view")
    expect(page.locator(".support-banner")).to_have_count(0)
