"""What a station noticed of itself (NotifyEvent), and which of its values it watches."""

from collections.abc import Mapping
from typing import Any

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.phrasing import NOT_SHOWN
from gateway.ocpp.v2.noting import Kind, Severity, noted, report_ended, status_info
from gateway.ocpp.v2.outlets import STATUS, outlet_report
from stations.models import StationEvent, StationVariable

# OCPP 2.x severity of monitors: 0 is danger, 9 is debugging.
CRITICAL_TO, WARNING_TO = 3, 6


def notify_event(call: Call) -> Answer:
    """Each event is kept; one that tells the state of a connector is taken as StatusNotification is."""
    for event in call.payload["eventData"]:
        component, variable = event["component"], event["variable"]["name"]
        evse = component.get("evse", {})
        if variable == "AvailabilityState" and component["name"] == "Connector" and event["actualValue"] in STATUS:
            outlet_report(call, evse.get("id", 0), evse.get("connectorId", 0), event["actualValue"], event["timestamp"])
        else:
            _note(call, event)
    return Answer()


def _note(call: Call, event: Mapping[str, Any]) -> None:
    component, variable = event["component"], event["variable"]
    evse = component.get("evse", {})
    names = [component["name"], component.get("instance"), variable["name"], variable.get("instance")]
    where = "/".join(str(evse[name]) for name in ("id", "connectorId") if name in evse)
    if variable["name"].lower() in StationVariable.SECRET:
        event = {**event, "actualValue": NOT_SHOWN}
    told = [".".join(name for name in names if name), f"EVSE {where}" if where else "", event.get("techInfo", "")]
    words = f"{' '.join(part for part in told if part)}: {event['actualValue']}"
    calls.event_note(
        station=call.station,
        kind=Kind.MONITOR,
        words=f"{words} (over)" if event.get("cleared") else words,
        at=calls.clock(call.station, event["timestamp"], call.at).at,
        severity=severity_of(event),
        data={name: value for name, value in event.items() if name != "customData"},
    )


def severity_of(event: Mapping[str, Any]) -> StationEvent.Severity:
    """2.1 says it; else a problem is critical, what passed a threshold a warning. What is over is information."""
    if event.get("cleared"):
        return Severity.INFO
    if "severity" in event:
        level = event["severity"]
        return Severity.CRITICAL if level <= CRITICAL_TO else Severity.WARNING if level <= WARNING_TO else Severity.INFO
    if event["variable"]["name"] == "Problem" and event["actualValue"].lower() == "true":
        return Severity.CRITICAL
    return Severity.WARNING if event["trigger"] == "Alerting" else Severity.INFO


def notify_monitoring_report(call: Call) -> Answer:
    """What it watches, for whoever asked; kept as it was told."""
    report_ended(call)
    count = len(call.payload.get("monitor", []))
    return noted(call, Kind.MONITOR, f"monitors, part {call.payload['seqNo']}: {count}")


# --- 2.1


def open_periodic_event_stream(call: Call) -> Answer:
    """We set no monitor that would make a stream, and keep none."""
    info = status_info("NotWanted", "No stream of this monitor was asked for.")
    return Answer({"status": "Rejected", "statusInfo": info})


def close_periodic_event_stream(call: Call) -> Answer:
    """None is open."""
    return Answer()


def notify_periodic_event_stream(call: Call) -> Answer:
    """A SEND, which nobody answers. It stands in the message log; that it comes at all is noted once a day."""
    today = call.at.replace(hour=0, minute=0, second=0, microsecond=0)
    words = f"stream {call.payload['id']}, which was not asked for"
    calls.event_note(station=call.station, kind=Kind.MONITOR, words=words, at=today)
    return Answer()
