"""A driver adds a vehicle, marks home, chooses the flat rate, downloads the ZIP; somebody without login checks it."""

import io
import json
import zipfile
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from dev.chain.nodeos import Nodeos
from tests.conftest import LedgerAccount
from tests.ledger.conftest import all_recorded, drive
from tests.portal.proof.checker import Checker
from tests.portal.statements.statement_sessions import Charge, charge
from tests.readers import Reader, reader_at

__all__ = ["charge"]
pytestmark = pytest.mark.django_db(transaction=True)

MARCH = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)


def test_from_a_vehicle_to_the_employers_check(
    chromium: Browser,
    live_server: LiveServer,
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    settings: Settings,
    owner: User,
    charge: Charge,
) -> None:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    settings.PUBLIC_URL = "https://portal.example"
    for day in (12, 13, 14):
        charge(MARCH.replace(day=day), meter_start_wh=1_000 * day, meter_stop_wh=1_000 * day + 7_780)
    drive(all_recorded)
    reader = reader_at(chromium, live_server.url, "wide")
    reader.login(owner)
    zipped = downloaded(reader)
    reader.context.close()
    index = json.loads(zipfile.ZipFile(io.BytesIO(zipped)).read("statement.json"))
    assert (index["price_basis"], len(index["charges"])) == ("FLAT_RATE", 3)
    somebody = Checker(chromium, live_server.url)
    somebody.open()
    somebody.give(zipped, "statement.zip", "application/zip")
    expect(somebody.page.locator("#statement-verdict")).to_have_text("VERIFIED")
    whole = "All 3 charges of this statement are recorded and unaltered"
    expect(somebody.page.locator("#statement-reason")).to_contain_text(whole)
    expect(somebody.page.locator("#statement-figures")).to_contain_text(index["document_number"])
    somebody.look()
    somebody.give(zipped_without(zipped, "receipts/0002.json"), "statement.zip", "application/zip")
    expect(somebody.page.locator("#statement-verdict")).to_have_text("NOT VALID")
    somebody.close()


def downloaded(reader: Reader) -> bytes:
    """What the driver does, from the first page to the ZIP of March at home."""
    reader.press("Vehicles")
    reader.page.get_by_label("Name").fill("Van")
    reader.page.get_by_label("Number plate").fill("B-EV 1")
    reader.press("Add the vehicle")
    reader.page.get_by_label("Harbour office").check()
    reader.press("Save my homes")
    expect(reader.page.get_by_label("Harbour office")).to_be_checked()
    reader.page.get_by_role("link", name="Choose for 2026").click()
    reader.page.get_by_label("The official flat rate").check()
    reader.press("Choose for the whole of 2026")
    reader.fine("vehicles")
    reader.page.get_by_role("link", name="For the employer").click()
    reader.press("Home only")
    reader.fine("vehicle-statements")
    reader.turn("narrow", "dark")
    reader.fine("vehicle-statements")
    return reader.downloads(reader.page.get_by_role("link", name="Statement March 2026 with all receipts as ZIP"))


def zipped_without(zipped: bytes, name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(zipped)) as before, zipfile.ZipFile(target, "w") as after:
        for entry in before.namelist():
            if entry != name:
                after.writestr(entry, before.read(entry))
    return target.getvalue()
