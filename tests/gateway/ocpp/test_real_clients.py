"""Clients that nobody here wrote run whole charges: npm's ocpp-rpc in strict mode, PyPI's ocpp, and test-ocpp."""

import asyncio
import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ocpp.v16
import ocpp.v21
import ocpp.v201
import pytest
from ocpp.v16 import call as call_16
from ocpp.v21 import call as call_21
from ocpp.v201 import call as call_201
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from dev.parts import npm
from stations.models import ChargingSession
from tests.gateway.ocpp.conftest import Make, Running

SCRIPT = Path(__file__).with_name("strict_client.js")
TIMEOUT_S = 120
BEGUN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)


def at(minutes: int) -> str:
    return (BEGUN + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def charge_16() -> list[tuple[str, dict[str, Any]]]:
    sample = [{"value": "1100", "unit": "Wh"}, {"value": "7.4", "measurand": "Power.Active.Import", "unit": "kW"}]
    number = "$transactionId"
    return [
        ("BootNotification", {"chargePointVendor": "Vendor", "chargePointModel": "Model"}),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}),
        ("Authorize", {"idTag": "CARD1"}),
        ("StartTransaction", {"connectorId": 1, "idTag": "CARD1", "meterStart": 1000, "timestamp": at(0)}),
        (
            "MeterValues",
            {"connectorId": 1, "transactionId": number, "meterValue": [{"timestamp": at(5), "sampledValue": sample}]},
        ),
        ("StopTransaction", {"transactionId": number, "meterStop": 3500, "timestamp": at(20), "idTag": "CARD1"}),
        ("Heartbeat", {}),
    ]


def charge_2() -> list[tuple[str, dict[str, Any]]]:
    def event(kind: str, seq: int, minutes: int, wh: float, reason: str, context: str, **more: Any) -> dict[str, Any]:
        value = {"value": wh, "context": context, "unitOfMeasure": {"unit": "kWh"}}
        return {
            **{"eventType": kind, "timestamp": at(minutes), "triggerReason": reason, "seqNo": seq},
            **{"transactionInfo": {"transactionId": "T-1"}, "evse": {"id": 1, "connectorId": 1}},
            "meterValue": [{"timestamp": at(minutes), "sampledValue": [value]}],
            **more,
        }

    card = {"idToken": {"idToken": "CARD1", "type": "ISO14443"}}
    return [
        ("BootNotification", {"reason": "PowerUp", "chargingStation": {"vendorName": "Vendor", "model": "Model"}}),
        (
            "StatusNotification",
            {"timestamp": at(0), "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1},
        ),
        ("Authorize", card),
        ("TransactionEvent", event("Started", 0, 0, 1, "Authorized", "Transaction.Begin", **card)),
        ("TransactionEvent", event("Updated", 1, 5, 1.1, "MeterValuePeriodic", "Sample.Periodic")),
        ("TransactionEvent", event("Ended", 2, 20, 3.5, "EVDeparted", "Transaction.End")),
        ("Heartbeat", {}),
    ]


PLANS = {"1.6": charge_16, "2.0.1": charge_2, "2.1": charge_2}


def charged() -> ChargingSession:
    session = ChargingSession.objects.get()
    assert (session.status, session.energy_wh, session.source) == ("COMPLETED", 2500, "OCPP"), session.flags
    assert session.started_at == BEGUN and session.stopped_at == BEGUN + timedelta(minutes=20)
    assert session.id_token is not None and session.id_token.uid == "CARD1"
    assert session.meter_values.filter(measurand="Energy.Active.Import.Register").exists()
    return session


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_ocpp_rpc_in_strict_mode_runs_a_whole_charge(gateway: Running, charger_row: Make, version: str) -> None:
    station, credential = charger_row()
    modules = npm.modules(npm.OCPP_RPC, "ocpp-rpc")
    done = subprocess.run(
        [str(npm.node()), str(SCRIPT), gateway.url, station.identity, credential, f"ocpp{version}"],
        input=json.dumps(PLANS[version]()),
        env={"NODE_MODULES": str(modules)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["answers"]) == 7
    charged()


LIBRARY: dict[str, tuple[Any, Any]] = {
    "1.6": (ocpp.v16.ChargePoint, call_16),
    "2.0.1": (ocpp.v201.ChargePoint, call_201),
    "2.1": (ocpp.v21.ChargePoint, call_21),
}


@pytest.mark.parametrize("version", LIBRARY)
def test_the_library_s_charge_point_runs_a_whole_charge(gateway: Running, charger_row: Make, version: str) -> None:
    station, credential = charger_row()
    asyncio.run(library_charges(f"{gateway.url}/{station.identity}", station.identity, credential, version))
    charged()


async def library_charges(url: str, identity: str, credential: str, version: str) -> None:
    """Through the library's own messages: snake_case in, camelCase on the wire."""
    kind, calls = LIBRARY[version]
    token = base64.b64encode(f"{identity}:{credential}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"}
    async with connect(url, subprotocols=[Subprotocol(f"ocpp{version}")], additional_headers=headers) as socket:
        point = kind(identity, socket)
        listening = asyncio.create_task(point.start())
        number = 0
        for action, payload in PLANS[version]():
            said = ocpp.charge_point.camel_to_snake_case(payload)
            if said.get("transaction_id") == "$transactionId":
                said["transaction_id"] = number
            answer = await point.call(getattr(calls, action)(**said), suppress=False)
            number = getattr(answer, "transaction_id", number)
        listening.cancel()


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_test_ocpp_finds_nothing_wrong(gateway: Running, charger_row: Make, version: str) -> None:
    station, credential = charger_row()
    command = [sys.executable, "-m", "test_ocpp", gateway.url, station.identity, "--ocpp", version]
    options = ["--password", credential]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
