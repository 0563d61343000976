"""The whole story in real browsers: an operator adds a charger, it connects with what the page showed, a driver starts,
sees it charge, stops, and checks the receipt; where the meter signs, up to the ZIP of the month that an employer checks
without a login. Nothing here is put into the database but the driver and their card.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role, User
from dev import totp
from dev.chain.nodeos import Nodeos
from dev.cognito import Provider
from dev.stations.by_hand import ByHand, by_hand
from dev.stations.signing import meter_of
from stations.models import ChargingSession, IdToken
from tests.accounts.login.conftest import PASSWORD
from tests.browsers import evaluated
from tests.conftest import LedgerAccount, allow_addresses
from tests.gateway.ocpp.conftest import Running, gateway
from tests.ledger.conftest import all_recorded, drive
from tests.portal.proof.checker import Checker
from tests.readers import Reader, reader_at

__all__ = ["gateway"]
pytestmark = pytest.mark.django_db(transaction=True)
SITE, IDENTITY, EVSE, CARD = "Mill yard", "CP-MILL-1", "DE*ABC*E4711*1", "04A1B2C3"
SECRET = "c0ffee"
METER = meter_of(IDENTITY, SECRET, 1)
Entered = dict[str, str]  # what stands on the page of the new credential, by its heading


@contextmanager
def operator(chromium: Browser, base: str, provider: Provider, *screen: str) -> Iterator[Reader]:
    """One who went the whole way in: the provider's password, and an authenticator set up at the first login."""
    provider.pool.ensure_person("olga", PASSWORD, groups=[Role.OPERATOR])
    reader = reader_at(chromium, base, *screen)
    page = reader.page
    reader.go("/login")
    reader.press("Log in")
    page.get_by_label("Name").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Six-digit code").fill(totp.code(page.locator(".key").inner_text()))
    reader.press("Confirm")
    reader.press("I have kept them, go on")
    expect(page.get_by_role("button", name="I have kept them, go on")).to_have_count(0)
    yield reader
    reader.context.close()


@contextmanager
def driver(chromium: Browser, base: str, *screen: str) -> Iterator[Reader]:
    """One with a card, logged in."""
    user = User.objects.create_user("dora")
    IdToken.objects.create(uid=CARD, customer=user)
    reader = reader_at(chromium, base, *screen)
    reader.login(user)
    yield reader
    reader.context.close()


def charger_added(olga: Reader) -> Entered:
    """A site, a station at it with one outlet, and its credential: what the operator then enters at the charger."""
    page = olga.page
    olga.go("/admin/stations/site/add/")
    for label, text in (("Code:", "MILL"), ("Name:", SITE)):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")
    olga.go("/admin/stations/station/add/")
    page.locator(".field-site .select2-selection").click()
    page.locator(".select2-search__field").fill("mill")
    page.locator(".select2-results__option", has_text=SITE).click()
    page.get_by_label("Identity:").fill(IDENTITY)
    page.get_by_text("Add another Connector").click()
    page.locator("#id_connectors-0-emi3_id").fill(EVSE)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".ev-steps-list li")).to_have_count(5)
    olga.look()
    olga.shoot("story-station-new")
    page.locator(".ev-steps-list").get_by_role("link", name="Set a new credential").click()
    page.get_by_role("button", name="Set a new credential").click()
    expect(page.locator(".ev-secret code")).to_be_visible()
    olga.look()
    olga.shoot("story-credential")
    rows = page.locator(".ev-rows tr").all()
    found = {row.locator("th").inner_text(): row.locator("code").first.inner_text() for row in rows[:-1]}
    found["Password"] = page.locator(".ev-secret code").inner_text()
    page.get_by_role("link", name=f"Back to {IDENTITY}").click()
    expect(page.locator(".ev-steps-list")).to_be_visible()
    assert found["Password"] not in page.content(), "it is shown once"
    return found


def meter_registered(olga: Reader) -> None:
    """The key that stands on the meter of its outlet."""
    page = olga.page
    olga.go("/admin/stations/meterpublickey/add/")
    page.locator(".field-station .select2-selection").click()
    page.locator(".select2-search__field").fill("mill")
    page.locator(".select2-results__option", has_text=IDENTITY).click()
    page.get_by_label("Meter", exact=False).first.fill(METER.serial)
    page.get_by_label("Public key").fill(METER.public_key.hex())
    olga.look()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")


def charge_started(dora: Reader, cp: ByHand) -> None:
    """From the first page to the charge, which appears by itself."""
    page = dora.page
    dora.press("Charge")
    page.get_by_label("Number at the outlet (EVSE ID)").fill(EVSE)
    dora.press("To the outlet")
    dora.sees(SITE)
    dora.look()
    dora.shoot("story-outlet")
    dora.press("Start charging")
    expect(page.locator("#starting")).to_contain_text("The station is ready.")
    dora.look()
    dora.shoot("story-ready")
    cp.plug()
    expect(page.locator("#starting")).to_contain_text("The car charges.")
    dora.press("To the charge")


def power_seen_live(dora: Reader, cp: ByHand) -> None:
    """The figures follow the meter while nobody touches the page."""
    page = dora.page
    figure = page.locator("#session .sums div").filter(has_text="Energy so far").locator("dd")
    evaluated(page, "window.mark = 'the same page'")
    cp.meter(after_s=60, wh=150)
    expect(figure).to_contain_text("0.15")
    expect(page.locator("#session .sums div").filter(has_text="Power now").locator("dd")).to_contain_text("11.0")
    cp.meter(after_s=60, wh=150)
    expect(figure).to_contain_text("0.30")
    assert evaluated(page, "window.mark") == "the same page"
    dora.look()
    dora.shoot("story-charging")


def stopped_and_recorded(dora: Reader) -> float:
    """Stop it from the page; the seconds until the page says that the chain has it for good."""
    page = dora.page
    dora.press("Stop charging")
    pressed = time.monotonic()
    dora.press("Stop charging")
    expect(page.locator("#session")).to_contain_text("Duration")
    drive(lambda: not ChargingSession.objects.filter(status="ACTIVE").exists() and all_recorded())
    took_s = time.monotonic() - pressed
    expect(page.locator(".way .done")).to_have_count(5)  # the last is the block that cannot be taken back
    dora.look()
    dora.shoot("story-recorded")
    return took_s


def receipt_verifies(dora: Reader) -> None:
    """The file, at the public check."""
    page = dora.page
    file = dora.downloads(page.locator("a[href$='receipt.json']").first)
    assert json.loads(file)["record"]["energy_wh"] == 300
    dora.go("/verify")
    page.locator("#file").set_input_files({"name": "receipt.json", "mimeType": "application/json", "buffer": file})
    expect(page.locator("#verdict")).to_have_text("VERIFIED")
    expect(page.locator("#figures")).to_contain_text("0.30 kWh")
    dora.look()
    dora.shoot("story-verified")


def employer_checks(chromium: Browser, base: str, dora: Reader) -> None:
    """A vehicle, its month's ZIP, and somebody at another browser without login, who has the meter's key as well."""
    page = dora.page
    dora.go("/")
    dora.press("Vehicles")
    page.get_by_label("Name").fill("Van")
    dora.press("Add the vehicle")
    page.get_by_role("link", name="For the employer").click()
    zipped = dora.downloads(page.get_by_role("link", name="with all receipts as ZIP").first)
    somebody = Checker(chromium, base, "narrow")
    somebody.open()
    evaluated(somebody.page, "document.getElementById('meter-keys').closest('details')?.setAttribute('open', '')")
    somebody.page.locator("#meter-keys").fill(METER.public_key.hex())
    somebody.give(zipped, "statement.zip", "application/zip")
    expect(somebody.page.locator("#statement-verdict")).to_have_text("VERIFIED")
    expect(somebody.page.locator("#statement-reason")).to_contain_text("recorded and unaltered")
    expect(somebody.page.locator("body")).to_contain_text("1 of 1")
    somebody.close()


@pytest.mark.parametrize(
    ("version", "screen"), [("1.6", ("wide", "light")), ("2.0.1", ("narrow", "dark"))], ids=["1.6", "2.0.1"]
)
def test_from_a_new_charger_to_a_verified_receipt(
    chromium: Browser,
    live_server: LiveServer,
    cognito: Provider,
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    gateway: Running,
    settings: Settings,
    version: str,
    screen: tuple[str, str],
) -> None:
    cache.clear()
    allow_addresses(live_server.url)
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    settings.OCPP_PUBLIC_URL = gateway.url
    with operator(chromium, live_server.url, cognito, *screen) as olga:
        entered = charger_added(olga)
        told = (entered["Address"], entered["Identity and user name"], entered["Password"])
        signs = version == "2.0.1"
        with by_hand(*told, version, meter_secret=SECRET if signs else "") as cp:
            olga.press("In the park")
            expect(olga.page.locator("#park")).to_contain_text(f"OCPP {version}")
            olga.look()
            olga.shoot("story-park")
            if signs:
                meter_registered(olga)
            with driver(chromium, live_server.url, *screen) as dora:
                charge_started(dora, cp)
                power_seen_live(dora, cp)
                print(f"{stopped_and_recorded(dora):.1f} s from stop to recorded")
                receipt_verifies(dora)
                if signs:
                    employer_checks(chromium, live_server.url, dora)
    session = ChargingSession.objects.get()
    assert session.signed_verdict == ("VERIFIED" if signs else ""), session.signed_reason
    assert (session.status, session.energy_wh, session.source) == ("COMPLETED", 300, "OCPP"), session.flags
