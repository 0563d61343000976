"""A driver starts and stops at a station that is connected over OCPP, of 1.6 and of 2.0.1, through the real gateway."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import User
from stations.commands.params import moment_text
from stations.models import ChargingSession, Command, Connector, IdToken
from tests.gateway.ocpp.client import Charger
from tests.gateway.ocpp.conftest import Plug, charger_row, gateway, plug
from tests.people import browser_of
from tests.waiting import until

__all__ = ["charger_row", "gateway", "plug"]
pytestmark = pytest.mark.django_db(transaction=True)
EVSE = "DE*ABC*E77*1"


@pytest.fixture
def driver() -> Client:
    cache.clear()
    user = User.objects.create_user("dora")
    IdToken.objects.create(uid="04A1B2C3", customer=user)
    return browser_of(user)


def text(driver: Client, path: str) -> str:
    answer = driver.get(path)
    assert answer.status_code == 200, path
    return " ".join(answer.content.decode().split())


def now() -> str:
    return moment_text(timezone.now())


def pressed(driver: Client) -> Command:
    Connector.objects.update(emi3_id=EVSE)
    answer = driver.post(f"/charge/{EVSE}", {"card": IdToken.objects.get().pk})
    assert answer.status_code == 302, answer.content.decode()
    return Command.objects.latest("pk")


def answered(command: Command) -> Command:
    def over() -> bool:
        command.refresh_from_db()
        return not command.is_open

    until(over)
    return command


def test_over_1_6(driver: Client, plug: Plug) -> None:
    charger = plug("1.6")
    charger.call("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "W"})
    charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"})
    command = pressed(driver)
    assert charger.serve() == [("RemoteStartTransaction", {"idTag": "04A1B2C3", "connectorId": 1})]
    assert answered(command).state == "ACCEPTED"
    start = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1000, "timestamp": now()}
    started = charger.call("StartTransaction", start)
    assert started["idTagInfo"]["status"] == "Accepted"
    number = started["transactionId"]
    sample = {"value": "7400", "measurand": "Power.Active.Import", "unit": "W"}
    value = {"timestamp": now(), "sampledValue": [sample, {"value": "1001"}]}
    charger.call("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": [value]})
    session = ChargingSession.objects.get()
    page = text(driver, f"/charge/start/{command.pk}")
    assert "The car charges." in page and "7.4" in page and f"/sessions/{session.pk}" in page
    driver.post(f"/sessions/{session.pk}/stop")
    assert charger.serve() == [("RemoteStopTransaction", {"transactionId": number})]
    assert answered(Command.objects.latest("pk")).state == "ACCEPTED"
    assert "The station stops the charge." in text(driver, f"/sessions/{session.pk}")
    stop = {"transactionId": number, "meterStop": 1002, "timestamp": now(), "reason": "Remote"}
    charger.call("StopTransaction", stop)
    session.refresh_from_db()
    assert (session.status, session.energy_wh) == ("COMPLETED", 2)
    assert "The charge has ended." in text(driver, f"/charge/start/{command.pk}")


def test_over_2_0_1(driver: Client, plug: Plug) -> None:
    charger = plug("2.0.1")
    boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "W"}}
    charger.call("BootNotification", boot)
    command = pressed(driver)
    ((action, asked),) = charger.serve()
    assert (action, asked["remoteStartId"], asked["evseId"]) == ("RequestStartTransaction", command.pk, 1)
    assert answered(command).state == "ACCEPTED"
    transaction(charger, "Started", 0, 1000, remoteStartId=command.pk)
    session = ChargingSession.objects.get()
    command.refresh_from_db()
    assert command.session == session, "the station named the start"
    assert session.id_token is not None and session.id_token.uid == "04A1B2C3"
    driver.post(f"/sessions/{session.pk}/stop")
    assert charger.serve() == [("RequestStopTransaction", {"transactionId": "T-1"})]
    transaction(charger, "Ended", 1, 1002)
    session.refresh_from_db()
    assert (session.status, session.energy_wh) == ("COMPLETED", 2)


def transaction(charger: Charger, kind: str, number: int, energy: int, **info: Any) -> None:
    context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}[kind]
    sample = {"value": energy, "context": context, "measurand": "Energy.Active.Import.Register"}
    message: dict[str, Any] = {
        "eventType": kind,
        "timestamp": now(),
        "triggerReason": "RemoteStart" if kind == "Started" else "RemoteStop",
        "seqNo": number,
        "transactionInfo": {"transactionId": "T-1", **info},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": now(), "sampledValue": [sample]}],
    }
    if kind == "Started":
        message["idToken"] = {"idToken": "04A1B2C3", "type": "ISO14443"}
    charger.call("TransactionEvent", message)


def test_a_station_that_says_no(driver: Client, plug: Plug) -> None:
    charger = plug("1.6", answer=lambda action, payload: {"status": "Rejected"})
    charger.call("Heartbeat")
    command = pressed(driver)
    charger.serve()
    assert answered(command).state == "REJECTED"
    assert "The station refused. Nothing was started." in text(driver, f"/charge/start/{command.pk}")
