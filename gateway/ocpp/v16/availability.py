"""OCPP 1.6: StatusNotification. A connector of 1.6 is an EVSE with connector 1; 0 is the station."""

from collections.abc import Sequence

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from stations.models import Connector

Status = Connector.Status
STATUSES = {
    "Available": Status.AVAILABLE,
    **dict.fromkeys(("Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing"), Status.OCCUPIED),
    "Reserved": Status.RESERVED,
    "Unavailable": Status.UNAVAILABLE,
    "Faulted": Status.FAULTED,
}


def status_notification(call: Call) -> Answer:
    """How an outlet is now, or was when the station could not say it."""
    report = _report(call)
    calls.connector_report(**vars(report))
    return Answer({})


def status_notification_many(together: Sequence[Call]) -> list[Answer | None]:
    """Those that are plain."""
    return [Answer({}) if taken else None for taken in calls.connectors_report([_report(call) for call in together])]


def _report(call: Call) -> calls.Report:
    payload = call.payload
    own_words = (payload.get(name) for name in ("info", "vendorErrorCode", "vendorId"))
    return calls.Report(
        station=call.station,
        evse_id=payload["connectorId"],
        connector_id=1,
        condition=calls.Condition(
            status=STATUSES[payload["status"]],
            said=payload["status"],
            error_code=payload["errorCode"],
            info=calls.plain_text(" · ".join(words for words in own_words if words), 255),
        ),
        at=calls.clock(call.station, payload.get("timestamp"), call.at).at,
        received_at=call.at,
    )
