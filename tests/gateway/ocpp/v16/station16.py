"""A station of OCPP 1.6 whose messages go straight to the handlers, judged by the official schemas both ways."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from gateway.ocpp.handling import V16, Answer, Call
from gateway.ocpp.schemas import violation
from gateway.ocpp.v16.handlers import HANDLERS
from stations.charging.vocabulary import Aside
from stations.models import ChargingSession, Connector, Site, Station

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


class Station16:
    """`clock`: what is added to the right time by the station's own; `zone`: how it writes times, else UTC with Z."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.ids = itertools.count(1)
        self.now = NOW
        self.clock = timedelta(0)
        self.written = text

    def wait(self, minutes: float) -> datetime:
        self.now += timedelta(minutes=minutes)
        return self.now

    @property
    def time(self) -> str:
        return self.written(self.now + self.clock)

    def call(self, action: str, /, asides: tuple[Aside, ...] = (), message_id: str = "", **payload: Any) -> Any:
        """The whole answer; `payload` must be valid, and so must be what is answered."""
        return self.answer(action, payload, asides, message_id).payload

    def answer(
        self, action: str, payload: dict[str, Any], asides: tuple[Aside, ...] = (), message_id: str = ""
    ) -> Answer:
        payload = json.loads(json.dumps(payload))
        assert violation(V16, action, payload) is None
        station = Station.objects.select_related("site").get(pk=self.station.pk)
        made = Call(station, V16, action, payload, message_id or f"m{next(self.ids)}", self.now, asides)
        with transaction.atomic():
            answer = HANDLERS[action](made)
        assert violation(V16, action, answer.payload, answer=True) is None
        return answer

    # --- a charge

    def start(self, meter: int = 1000, connector: int = 1, tag: str = "04A1", **changes: Any) -> Any:
        said: dict[str, Any] = {"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": self.time}
        return self.call("StartTransaction", **said | changes)

    def values(self, number: int | None, *sampled: Any, connector: int = 1, **changes: Any) -> Any:
        """`sampled`: texts are readings of the register in Wh, objects are as they are."""
        read = [one if isinstance(one, dict) else {"value": str(one)} for one in sampled]
        said: dict[str, Any] = {
            "connectorId": connector,
            "meterValue": [{"timestamp": self.time, "sampledValue": read}],
        }
        if number is not None:
            said["transactionId"] = number
        return self.call("MeterValues", **said | changes)

    def stop(self, number: int, meter: int = 8000, **changes: Any) -> Any:
        said: dict[str, Any] = {"transactionId": number, "meterStop": meter, "timestamp": self.time}
        return self.call("StopTransaction", **said | changes)

    def status(self, status: str, connector: int = 1, *, error: str = "NoError", **changes: Any) -> Any:
        said: dict[str, Any] = {"connectorId": connector, "status": status, "errorCode": error, "timestamp": self.time}
        return self.call("StatusNotification", **said | changes)

    def boot(self, **changes: Any) -> Any:
        said: dict[str, Any] = {"chargePointVendor": "Acme", "chargePointModel": "One"}
        return self.call("BootNotification", **said | changes)


def station16(identity: str = "CP-1", outlets: int = 1, **site: Any) -> Station16:
    where, _ = Site.objects.get_or_create(
        code="SITE-1", defaults={"name": "Harbour", "time_zone": "Europe/Berlin", "unknown_cards": True} | site
    )
    station = Station.objects.create(site=where, identity=identity)
    for number in range(1, outlets + 1):
        Connector.objects.create(station=station, evse_id=number, max_power_w=22_000)
    return Station16(station)


def charge(number: int) -> ChargingSession:
    return ChargingSession.objects.get(transaction_id=str(number))


def figures(number: int) -> tuple[str, int | None, list[str]]:
    session = charge(number)
    return session.status, session.energy_wh, session.flags
