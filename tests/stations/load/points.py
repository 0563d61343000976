"""Charging stations by PyPI's ocpp, over a real WebSocket, in a thread: they keep the profiles that they are given."""

import asyncio
import base64
import threading
from datetime import UTC, datetime
from typing import Any, Self

import ocpp.v16
import ocpp.v201
from ocpp.routing import on
from ocpp.v16 import call as call_16
from ocpp.v16 import call_result as result_16
from ocpp.v201 import call as call_201
from ocpp.v201 import call_result as result_201
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

TIMEOUT_S = 60
Profile = tuple[str, int, float, str | None]  # purpose, stack level, limit, end


class Kept:
    """What it was told, in order, and what holds: by outlet, purpose and stack level."""

    def __init__(self) -> None:
        self.told: list[Profile] = []
        self.status = "Accepted"

    def keep(self, profile: dict[str, Any], schedule: dict[str, Any]) -> str:
        (period,) = schedule["charging_schedule_period"]
        purpose, level = profile["charging_profile_purpose"], profile["stack_level"]
        self.told.append((purpose, level, period["limit"], profile.get("valid_to")))
        return self.status


class Point16(ocpp.v16.ChargePoint):  # type: ignore[misc]  # the library has no types
    kept: Kept

    @on("SetChargingProfile")  # type: ignore[untyped-decorator]
    def set_profile(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> Any:
        status = self.kept.keep(cs_charging_profiles, cs_charging_profiles["charging_schedule"])
        return result_16.SetChargingProfile(status=status)


class Point201(ocpp.v201.ChargePoint):  # type: ignore[misc]
    kept: Kept

    @on("SetChargingProfile")  # type: ignore[untyped-decorator]
    def set_profile(self, evse_id: int, charging_profile: dict[str, Any], **more: Any) -> Any:
        (schedule,) = charging_profile["charging_schedule"]
        return result_201.SetChargingProfile(status=self.kept.keep(charging_profile, schedule))


class Point:
    """One of them, from connection to end."""

    def __init__(self, url: str, identity: str, credential: str, version: str) -> None:
        self.address, self.identity, self.version = f"{url}/{identity}", identity, version
        self.token = base64.b64encode(f"{identity}:{credential}".encode()).decode()
        self.kept, self.number, self.seq = Kept(), "T-1", 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        self.socket, self.point = self.run(self._open())
        return self

    def __exit__(self, *raised: object) -> None:
        self.run(self.socket.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(TIMEOUT_S)

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(TIMEOUT_S)

    async def _open(self) -> tuple[ClientConnection, Any]:
        protocols = [Subprotocol(f"ocpp{self.version}")]
        headers = {"Authorization": f"Basic {self.token}"}
        socket = await connect(self.address, subprotocols=protocols, additional_headers=headers)
        kind: Any = Point16 if self.version == "1.6" else Point201
        point = kind(self.identity, socket)
        point.kept = self.kept
        self.listening = asyncio.create_task(point.start())
        return socket, point

    def call(self, message: Any) -> Any:
        return self.run(self.point.call(message, suppress=False))

    def start(self) -> None:
        """A car begins to charge, by a card."""
        if self.version == "1.6":
            started = {"connector_id": 1, "id_tag": "CARD1", "meter_start": 1000, "timestamp": now()}
            self.number = str(self.call(call_16.StartTransaction(**started)).transaction_id)
        else:
            self.call(self.event("Started", "Authorized", id_token={"id_token": "CARD1", "type": "ISO14443"}))

    def draws(self, amperes: float) -> None:
        """On each of the three phases."""
        phases = ("L1", "L2", "L3")
        if self.version == "1.6":
            sample = [
                {"value": str(amperes), "measurand": "Current.Import", "unit": "A", "phase": phase} for phase in phases
            ]
            value = [{"timestamp": now(), "sampled_value": sample}]
            self.call(call_16.MeterValues(connector_id=1, transaction_id=int(self.number), meter_value=value))
        else:
            found = [{"value": amperes, "measurand": "Current.Import", "phase": phase} for phase in phases]
            value = [{"timestamp": now(), "sampled_value": found}]
            self.call(self.event("Updated", "MeterValuePeriodic", meter_value=value))

    def stop(self) -> None:
        """It leaves."""
        if self.version == "1.6":
            ended = {"transaction_id": int(self.number), "meter_stop": 3000, "timestamp": now()}
            self.call(call_16.StopTransaction(**ended))
        else:
            self.call(self.event("Ended", "EVDeparted"))

    def event(self, kind: str, reason: str, **more: Any) -> Any:
        self.seq += 1
        register = {"value": 1000.0 + self.seq, "measurand": "Energy.Active.Import.Register"}
        value = [{"timestamp": now(), "sampled_value": [register]}]
        members: dict[str, Any] = {"event_type": kind, "trigger_reason": reason, "seq_no": self.seq}
        members |= {"timestamp": now(), "transaction_info": {"transaction_id": self.number}}
        members |= {"evse": {"id": 1, "connector_id": 1}, "meter_value": value}
        return call_201.TransactionEvent(**(members | more))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
