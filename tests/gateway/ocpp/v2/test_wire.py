"""OCPP 2.0.1 and 2.1 over a real WebSocket: what the handlers do, the gateway does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.models import LedgerEntry
from ledger.recording import receivers
from stations.models import ChargingSession, MeterValue, OcppMessage
from stations.signals import sessions_closed
from tests.gateway.ocpp.client import CallError, Charger
from tests.gateway.ocpp.conftest import Plug

CARD = {"idToken": "04A1B2", "type": "ISO14443"}
EVSE = {"id": 1, "connectorId": 1}


@pytest.fixture(autouse=True)
def recorded_too(ledger_apart: None) -> Iterator[None]:
    """Here the ledger listens, as it does in production."""
    sessions_closed.connect(receivers.open_entries, dispatch_uid="ledger.entries_open")
    yield
    sessions_closed.disconnect(receivers.open_entries, dispatch_uid="ledger.entries_open")


def event(charger: Charger, kind: str, minutes: int, seq: int, wh: int | None = None, **more: Any) -> dict[str, Any]:
    at = (datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes)).isoformat()
    triggers = {"Started": "Authorized", "Updated": "MeterValuePeriodic", "Ended": "EVDeparted"}
    values = [] if wh is None else [{"timestamp": at, "sampledValue": [{"value": wh}]}]
    payload = {
        "eventType": kind,
        "timestamp": at,
        "triggerReason": triggers[kind],
        "seqNo": seq,
        "transactionInfo": {"transactionId": "TX-1"},
        **({"meterValue": values} if values else {}),
        **more,
    }
    return charger.call("TransactionEvent", payload)


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_whole_charge(plug: Plug, version: str) -> None:
    charger = plug(version)
    boot = {"reason": "PowerUp", "chargingStation": {"model": "Box", "vendorName": "Maker"}}
    assert charger.call("BootNotification", boot)["status"] == "Accepted"
    assert event(charger, "Started", -60, 0, 1000, evse=EVSE, idToken=CARD)["idTokenInfo"] == {"status": "Accepted"}
    for seq in range(1, 20):
        assert event(charger, "Updated", -60 + seq * 2, seq, 1000 + 100 * seq) == {}
    assert event(charger, "Ended", -5, 20, 3000) == {}
    charge = ChargingSession.objects.get()
    assert (charge.status, charge.energy_wh) == ("COMPLETED", 2000) and MeterValue.objects.count() == 21
    assert LedgerEntry.objects.filter(session=charge).exists()
    assert OcppMessage.objects.filter(session=charge, action="TransactionEvent").count() == 42
    assert "messages_missing" not in charge.flags


def test_messages_that_never_came_are_noticed_repeats_and_another_order_are_fine(plug: Plug) -> None:
    charger = plug("2.0.1")
    for number, missing in (("TX-7", False), ("TX-8", True)):
        told = {"transactionInfo": {"transactionId": number}, "offline": True}
        event(charger, "Started", -60, 5, 1000, evse=EVSE, idToken=CARD, **told)
        for seq in (7, 6, 6, 7, 8)[: 3 if missing else 5]:
            event(charger, "Updated", -60 + seq, seq, 1000 + 10 * seq, **told)
        event(charger, "Ended", -5, 9, 3000, **told)
        charge = ChargingSession.objects.get(transaction_id=number)
        assert charge.status == "COMPLETED" and ("messages_missing" in charge.flags) == missing, charge.flags


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_charge_whose_start_nobody_knows_is_recorded_as_such(plug: Plug, version: str) -> None:
    charger = plug(version)
    event(charger, "Updated", -30, 4, 2000)
    event(charger, "Ended", -5, 5, 3000)
    charge = ChargingSession.objects.get()
    assert (charge.status, charge.flags[0]) == ("INVALID", "start_unknown")
    assert LedgerEntry.objects.filter(session=charge).exists()


def test_a_stream_is_heard_and_not_answered(plug: Plug) -> None:
    charger = plug("2.1")
    stream = {"id": 4, "pending": 0, "basetime": "2026-11-30T20:00:00Z", "data": [{"t": 0.5, "v": "1"}]}
    charger.send(json.dumps([6, "s-1", "NotifyPeriodicEventStream", stream]))
    assert "currentTime" in charger.call("Heartbeat")
    assert OcppMessage.objects.filter(kind="SEND").count() == 1


@pytest.mark.parametrize("version, action", [("2.0.1", "BatterySwap"), ("2.0.1", "Reset"), ("2.1", "GetTariffs")])
def test_what_is_not_supported_is_said_so(plug: Plug, version: str, action: str) -> None:
    with pytest.raises(CallError) as refused:
        plug(version).call(action, {})
    assert refused.value.code in {"NotSupported", "NotImplemented"}
