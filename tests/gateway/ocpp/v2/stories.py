"""A station of OCPP 2.x in stories: what it says goes to the handlers, and both sides obey the official schemas."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.leniency import understood
from gateway.ocpp.schemas import violation
from gateway.ocpp.v2.handlers import HANDLERS_21, HANDLERS_201
from stations.charging.asides import set_aside
from stations.models import ChargingSession, Connector, IdToken, SetAside, Site, Station, Tariff

HANDLERS = {"2.0.1": HANDLERS_201, "2.1": HANDLERS_21}
NOW = datetime.now(UTC).replace(microsecond=0)
CARD = {"idToken": "04A1B2", "type": "ISO14443"}


def at(minutes: float) -> str:
    """So many minutes from the test run's start."""
    return (NOW + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def register(wh: float, minutes: float, context: str = "Sample.Periodic", **more: Any) -> dict[str, Any]:
    """One meterValue with the energy register."""
    value = {"value": wh, "context": context, "measurand": "Energy.Active.Import.Register", **more}
    return {"timestamp": at(minutes), "sampledValue": [value]}


@dataclass
class Story:
    """`say` as the server hands it on; `number`: of the transaction that `event` is about."""

    station: Station
    version: str
    seq: dict[str, int] = field(default_factory=dict)
    last: Answer | None = None

    def say(
        self, action: str, payload: dict[str, Any] | None = None, *, received: datetime | None = None, id: str = ""
    ) -> dict[str, Any]:
        """The payload of the answer; what breaks the schema is left out as the server does."""
        said, asides, broken = understood(self.version, action, payload or {})
        assert broken is None, broken
        call = Call(self.station, self.version, action, said, id or str(uuid.uuid4()), received or timezone.now())
        with transaction.atomic():
            self.last = HANDLERS[self.version][action](call)
            set_aside(station=self.station, kind=SetAside.Kind.VALUE, asides=asides)
        if action != "NotifyPeriodicEventStream":
            assert violation(self.version, action, self.last.payload, answer=True) is None, self.last.payload
        return self.last.payload

    def event(
        self,
        kind: str,
        minutes: float | str,
        *,
        number: str = "TX-1",
        trigger: str = "",
        received: datetime | None = None,
        info: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """A TransactionEvent; `minutes`: when, or its own text."""
        self.seq[number] = self.seq.get(number, -1) + 1
        triggers = {"Started": "CablePluggedIn", "Updated": "MeterValuePeriodic", "Ended": "EVDeparted"}
        payload = {
            "eventType": kind,
            "timestamp": minutes if isinstance(minutes, str) else at(minutes),
            "triggerReason": trigger or triggers[kind],
            "seqNo": self.seq[number],
            "transactionInfo": {"transactionId": number, **(info or {})},
            **more,
        }
        return self.say("TransactionEvent", payload, received=received)

    def charge(self, number: str = "TX-1") -> ChargingSession:
        """The newest charge of that number, as it is now."""
        return ChargingSession.objects.filter(station=self.station, transaction_id=number).latest("started_at")


def story_make(version: str, identity: str = "CS-2", *, outlets: int = 1, tariff: bool = False, **site: Any) -> Story:
    """A station with so many EVSEs, whose card is known."""
    place, _ = Site.objects.get_or_create(code="V2", defaults={"name": "Yard", "currency": "EUR", **site})
    if tariff:
        place.tariff = Tariff.objects.create(
            code="T", name="Plain", currency="EUR", price_per_kwh="0.3999", price_per_session="0.50"
        )
        place.save()
    station = Station.objects.create(site=place, identity=identity)
    for evse in range(1, outlets + 1):
        Connector.objects.create(station=station, evse_id=evse, connector_id=1, max_power_w=22_000)
    IdToken.objects.get_or_create(uid=CARD["idToken"], type=CARD["type"])
    return Story(Station.objects.select_related("site").get(pk=station.pk), version)
