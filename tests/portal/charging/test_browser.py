"""In a real browser, at a real gateway: a driver finds the outlet, starts, sees the charge come by itself, stops it.

And an operator asks the same station something and sees the outcome come. On a telephone and in the dark, too.
"""

from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role, User
from stations.models import ChargingSession, Command, Connector, IdToken
from tests.gateway.ocpp.client import Charger
from tests.gateway.ocpp.conftest import Plug, charger_row, gateway, plug
from tests.people import person
from tests.portal.charging.test_at_the_gateway import EVSE, now
from tests.readers import reader_at

__all__ = ["charger_row", "gateway", "plug"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def charge_begins(charger: Charger) -> int:
    """The charge's number."""
    start = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000, "timestamp": now()}
    number: int = charger.call("StartTransaction", start)["transactionId"]
    sample = {"value": "7400", "measurand": "Power.Active.Import", "unit": "W"}
    value = {"timestamp": now(), "sampledValue": [sample, {"value": "1001"}]}
    charger.call("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": [value]})
    return number


@pytest.mark.parametrize("screen", [("narrow", "dark"), ("wide", "light")], ids=["narrow", "wide"])
def test_a_driver_starts_and_stops(chromium: Browser, live_server: LiveServer, plug: Plug, screen: Any) -> None:
    cache.clear()
    user = User.objects.create_user("dora")
    for uid in ("04A1B2C3", "04D4E5F6"):
        IdToken.objects.create(uid=uid, customer=user)
    charger = plug("1.6")
    charger.call("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "W"})
    charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"})
    Connector.objects.update(emi3_id=EVSE)
    reader = reader_at(chromium, live_server.url, *screen)
    reader.login(user)
    page = reader.page
    reader.press("Charge")
    page.get_by_label("Number at the outlet (EVSE ID)").fill("NOTHING")
    reader.press("To the outlet")
    expect(page.get_by_role("alert")).to_contain_text("No outlet of ours has this number.")
    reader.fine("charge-unknown")
    page.get_by_label("Number at the outlet (EVSE ID)").fill("deabce77*1")
    reader.press("To the outlet")
    reader.sees("Yard")
    reader.press("Start charging")
    expect(page.get_by_role("alert")).to_contain_text("Choose the card with which to charge.")
    reader.fine("charge-outlet")
    page.get_by_label("card 04A1B2C3").check()
    reader.press("Start charging")
    expect(page.locator("#starting")).to_contain_text("The charge appears here by itself")
    assert charger.serve()[0][1]["idTag"] == "04A1B2C3"
    expect(page.locator("#starting")).to_contain_text("The station is ready.")
    reader.fine("charge-starting")
    number = charge_begins(charger)
    expect(page.locator("#starting")).to_contain_text("7.4 kW")
    reader.fine("charge-started")
    reader.press("To the charge")
    expect(page.locator("#session")).to_contain_text("Power now")
    reader.press("Stop charging")
    reader.sees("Stop the charge at Yard?")
    reader.fine("charge-stop")
    reader.press("Stop charging")
    assert charger.serve() == [("RemoteStopTransaction", {"transactionId": number})]
    expect(page.locator("#session")).to_contain_text("The station stops the charge.")
    reader.fine("charge-stopping")
    charger.call("StopTransaction", {"transactionId": number, "meterStop": 1002, "timestamp": now()})
    expect(page.locator("#session")).to_contain_text("Duration")
    assert ChargingSession.objects.get().status == "COMPLETED"
    reader.context.close()


@pytest.mark.parametrize("screen", [("narrow", "light"), ("wide", "dark")], ids=["narrow", "wide"])
def test_an_operator_asks_and_sees_the_answer_come(
    chromium: Browser, live_server: LiveServer, plug: Plug, screen: Any
) -> None:
    charger = plug("1.6")
    charger.call("Heartbeat")
    reader = reader_at(chromium, live_server.url, *screen)
    reader.login(person("olga", Role.ADMIN))
    page = reader.page
    station = Connector.objects.get().station
    reader.go(f"/admin/stations/station/{station.pk}/change/")
    page.locator(".object-tools").get_by_role("link", name="Commands").click()
    reader.fine("commands")
    reader.press("Restart the station")
    page.get_by_label("How").select_option("soft")
    reader.fine("command-form")
    reader.press("Restart the station")
    expect(page.locator(".ev-alert")).to_contain_text("Charges that go on may end.")
    reader.fine("command-confirm")
    reader.press("Yes, do it")
    expect(page.locator("#command")).to_contain_text("sent")
    assert charger.serve() == [("Reset", {"type": "Soft"})]
    expect(page.locator("#command h2")).to_have_text("accepted")
    assert Command.objects.get().state == "ACCEPTED"
    reader.fine("command")
    reader.go(f"/admin/stations/station/commands/together/?station={station.pk}")
    reader.fine("commands-together")
    page.get_by_role("link", name="Have it forget cards that it saw").click()
    reader.press("Have it forget cards that it saw")
    reader.press("Yes, do it")
    expect(page.locator("#together")).to_contain_text("0 of 1 is over.")
    charger.serve()
    expect(page.locator("#together")).to_contain_text("1 of 1 is over.")
    reader.fine("commands-together-over")
    reader.context.close()
