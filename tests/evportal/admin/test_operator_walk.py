"""An operator's day in a real browser: a station, an import with errors, a credit, what is sent again, a customer."""

import csv
import io
import re
from collections.abc import Iterator

import pytest
from django.db import models
from django.utils import translation
from django.utils.text import capfirst
from django.utils.translation import ngettext
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role
from ledger.models import LedgerEntry
from stations.imports import tasks
from stations.models import ChargingSession, Connector, Site, Station
from tests.browsers import settled
from tests.people import person
from tests.portal.conftest import MakeSession
from tests.readers import Reader, reader_at
from tests.stations.test_imports_admin import row, text_of

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "The meter was read wrong, they called."


@pytest.fixture(params=[("wide", "light", "en"), ("narrow", "dark", "de")], ids=["wide", "narrow"])
def olga(request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer) -> Iterator[Reader]:
    """The second one's browser asks for German, and her pages are German."""
    reader = reader_at(chromium, live_server.url, *request.param)
    reader.login(person("olga", Role.OPERATOR))
    yield reader
    reader.context.close()


def field_name(olga: Reader, model: type[models.Model], field: str) -> str:
    """What the field is called on her pages."""
    with translation.override(olga.language):
        return capfirst(str(model._meta.get_field(field).verbose_name))  # type: ignore[union-attr]


def test_an_operators_day(olga: Reader, site: Site, make_session: MakeSession) -> None:
    session, refused = make_session(), make_session("CONFLICT")
    LedgerEntry.objects.filter(session=refused).update(conflict="the chain has another digest")
    olga.go("/admin/")
    expect(olga.page.locator("html")).to_have_attribute("lang", olga.language)
    olga.fine("home")
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
    page.get_by_label(field_name(olga, Station, "identity")).fill("CP-QUAY-2")
    site = field_name(olga, Station, "site")
    page.get_by_role("combobox", name=site).click()
    page.locator(".select2-search__field").fill("harb")
    olga.look()
    page.locator(".select2-results__option", has_text="Harbour office").click()
    expect(page.get_by_role("combobox", name=f"{site}: Harbour office")).to_be_visible()
    with translation.override(olga.language):
        outlet = capfirst(str(Connector._meta.verbose_name))
    page.get_by_text(olga.says("Add another %(verbose_name)s", verbose_name=outlet)).click()
    power = page.locator("#id_connectors-0-max_power_w")
    power.fill("22000")
    power.blur()  # Chromium would scroll to a number that changed, out of sight by now, between press and release
    olga.fine("station-filled")
    olga.press("Save and continue editing")
    olga.press("Set a new credential")
    page.wait_for_url("**/credential/")
    olga.press("Set a new credential")
    credential = page.locator(".ev-secret code").inner_text()
    olga.fine("station-credential")
    olga.press("Back to %(name)s", name="CP-QUAY-2")
    assert len(credential) > 16 and credential not in settled(page, page.content)
    station = Station.objects.get(identity="CP-QUAY-2")
    assert station.credential_hash and station.connectors.get().max_power_w == 22_000


def uploads(olga: Reader, name: str, content: bytes) -> None:
    """The page looks again by itself until the worker has checked the file."""
    page = olga.page
    olga.go("/admin/stations/importrun/add/")
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
    page.locator("#id_time_zone").select_option("America/New_York")  # the file does not say it
    olga.press("Upload and check")
    olga.sees("The file is being checked")
    tasks.import_sweep()
    olga.sees("Checked: nothing is stored yet")


def imports_with_errors(olga: Reader) -> None:
    """What would stay out is said line by line, and as a file; nothing was stored."""
    page, before = olga.page, ChargingSession.objects.count()
    uploads(olga, "bad.csv", text_of(row(1), row(2, kwhTotal="=1+1"), row(3, ended="2015-01-05 07:00:00")))
    expect(page.locator("#import td", has_text="999999999")).to_be_visible()  # a number up to that is expected
    olga.fine("import-checked")
    report = olga.downloads(page.locator("#import a[download]")).decode("utf-8-sig")
    assert [
        found["line"] for found in csv.DictReader(io.StringIO(report), delimiter=";" if olga.language == "de" else ",")
    ] == ["3", "4"]
    olga.press("Cancel")
    olga.sees("Cancelled: nothing was stored")
    assert ChargingSession.objects.count() == before


def imports(olga: Reader) -> None:
    before = ChargingSession.objects.count()
    uploads(olga, "good.csv", text_of(row(1), row(2), row(3)))
    confirm = olga.page.locator("#import form[action$='/confirm/'] input[type=submit]")
    expect(confirm).to_have_value(re.compile(r"good\.csv"))
    confirm.click()
    tasks.import_sweep()
    olga.sees("Imported")
    olga.fine("import-done")
    assert ChargingSession.objects.count() == before + 3


def credits(olga: Reader, session: ChargingSession) -> None:
    """What it would do is shown before it is done, and the driver's history has it afterwards."""
    page = olga.page
    olga.go(f"/admin/stations/chargingsession/{session.pk}/change/")
    olga.press("Credit this session")
    page.locator("[name=reason]").fill("no")
    olga.press("Show what would happen")
    expect(page.locator(".errorlist")).to_be_visible()
    olga.fine("credit-refused")
    page.locator("[name=reason]").fill(REASON)
    olga.press("Show what would happen")
    credited = re.compile({"en": r"-7\.78\b", "de": r"-7,78\b"}[olga.language])
    expect(page.get_by_role("row").filter(has_text=credited)).to_have_count(1)
    olga.fine("credit-effect")
    page.locator(".submit-row input[type=submit]").click()
    expect(page.locator(".messagelist li")).to_be_visible()
    olga.sees("This session was credited")
    olga.fine("credited")
    assert ChargingSession.objects.get(credit_reference=session).energy_wh == -7_780


def sends_again(olga: Reader, recorded: ChargingSession, refused: ChargingSession) -> None:
    """Both are chosen: the one that conflicts is put back to work, of the other it is said why not."""
    page = olga.page
    olga.go("/admin/ledger/ledgerentry/")
    for session in (recorded, refused):
        entry = LedgerEntry.objects.get(session=session)
        page.locator(f"input.action-select[value='{entry.pk}']").check()
    page.locator("select[name=action]").select_option(label=olga.says("Send again"))
    olga.press("Go")
    with translation.override(olga.language):
        sent = ngettext("%d entry is put back to work.", "%d entries are put back to work.", 1) % 1
    expect(page.locator(".messagelist .success")).to_contain_text(sent)
    expect(page.locator(".messagelist .warning")).to_contain_text("1234567")  # where the other one is recorded
    olga.fine("sent-again")
    entry = LedgerEntry.objects.get(session=refused)
    assert (entry.conflict, entry.transaction) == ("", None)


def reads_as_the_customer(olga: Reader) -> None:
    """The customer's own pages, in the reader's language, under a banner that cannot be overlooked."""
    page = olga.page
    olga.go("/admin/support/?q=anna")
    found = page.get_by_role("region", name="anna")
    found.locator("[name=reason]").fill(REASON)
    found.locator("input[type=submit]").click()
    expect(page.locator(".support-banner")).to_contain_text(olga.says("Reason:"))
    expect(page.locator("html")).to_have_attribute("lang", olga.language)
    olga.fine("support-view")
    olga.press("End the support view")
    expect(page.locator(".support-banner")).to_have_count(0)
