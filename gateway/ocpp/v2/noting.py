"""What a message tells besides charges is kept as an event; and the small parts that many answers are made of."""

from collections.abc import Collection
from typing import Any

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from stations.models import ChargingSession, StationEvent

Kind, Severity = StationEvent.Kind, StationEvent.Severity
# Members that name a person, a card or a company: events are kept for longer than the message log.
REPORTS = (
    *("get_base_report", "get_report", "get_monitoring_report", "get_profiles"),
    *("get_display_messages", "customer_information"),
)
PERSONAL = frozenset({"idToken", "vatNumber", "vatCompany", "data", "customData"})


def noted(
    call: Call,
    kind: StationEvent.Kind,
    words: str,
    *,
    severity: StationEvent.Severity = Severity.INFO,
    said_at: str | None = None,
    only: Collection[str] | None = None,
) -> Answer:
    """Keep the message's members (`only` these) as an event; the answer has nothing to say.

    `said_at`: the station's time for it. Without one the message's own id tells a repeat.
    """
    data = {name: value for name, value in call.payload.items() if name not in PERSONAL}
    data = data if only is None else {name: value for name, value in data.items() if name in only}
    at = call.at if said_at is None else calls.clock(call.station, said_at, call.at).at
    data |= {"message_id": call.message_id} if said_at is None else {}
    calls.event_note(station=call.station, kind=kind, words=words, at=at, severity=severity, data=data)
    return Answer()


def status_info(reason: str, words: str) -> dict[str, Any]:
    """StatusInfoType: why, for a machine in up to 20 letters and for a person."""
    return {"reasonCode": reason[:20], "additionalInfo": words[:512]}


def report_ended(call: Call) -> None:
    """The last part of a report has come, which somebody had asked for."""
    if call.payload.get("tbc", False):
        return
    number = call.payload["requestId"]
    calls.command_progress(station=call.station, kinds=REPORTS, request_id=number, progress="Reported", at=call.at)


def charge_of(call: Call, transaction_id: str) -> ChargingSession | None:
    """The charge that the station means by this number."""
    found = calls.charges_known([(call.station.pk, transaction_id)])
    return next(iter(found.values()), None)


def reservation_told(call: Call, number: int, state: str) -> None:
    """What became of a reservation: Used, or as ReservationStatusUpdate says."""
    calls.command_progress(station=call.station, kinds=("reserve",), request_id=number, progress=state, at=call.at)
