"""What limits the power of a charge, as the station knows it: profiles, others' limits, a vehicle's needs, grids."""

from gateway.ocpp.handling import V21, Answer, Call
from gateway.ocpp.v2.noting import Kind, Severity, charge_of, noted, report_ended, status_info


def _where(call: Call) -> str:
    evse_id = call.payload.get("evseId", 0)
    return f", EVSE {evse_id}" if evse_id else ""


def notify_charging_limit(call: Call) -> Answer:
    """Somebody else (a grid operator, an energy manager) limits the power."""
    limit = call.payload["chargingLimit"]
    severity = Severity.WARNING if limit.get("isGridCritical") else Severity.INFO
    return noted(call, Kind.PROFILE, f"limited by {limit['chargingLimitSource']}{_where(call)}", severity=severity)


def cleared_charging_limit(call: Call) -> Answer:
    """That limit is over."""
    return noted(call, Kind.PROFILE, f"no longer limited by {call.payload['chargingLimitSource']}{_where(call)}")


def notify_ev_charging_needs(call: Call) -> Answer:
    """The vehicle's needs are kept; we make no schedule out of them, and say so."""
    noted(call, Kind.PROFILE, f"what the vehicle needs{_where(call)}", said_at=call.payload.get("timestamp"))
    status = "NoChargingProfile" if call.version == V21 else "Rejected"
    return Answer({"status": status, "statusInfo": status_info("NoSchedule", "No schedule is made for one vehicle.")})


def notify_ev_charging_schedule(call: Call) -> Answer:
    """How the vehicle plans to charge: within the limits that it was given, so nothing speaks against it."""
    noted(call, Kind.PROFILE, f"what the vehicle plans{_where(call)}", said_at=call.payload["timeBase"])
    return Answer({"status": "Accepted"})


def report_charging_profiles(call: Call) -> Answer:
    """The profiles that it has, for whoever asked."""
    report_ended(call)
    count, source = len(call.payload["chargingProfile"]), call.payload["chargingLimitSource"]
    return noted(call, Kind.PROFILE, f"charging profiles of {source}{_where(call)}: {count}")


# --- 2.1


def notify_priority_charging(call: Call) -> Answer:
    """A driver asked the station for priority, or gave it up."""
    said = "asked for" if call.payload["activated"] else "no longer asked for"
    noted(call, Kind.PROFILE, f"priority {said}, transaction {call.payload['transactionId']}")
    session = charge_of(call, call.payload["transactionId"])
    return Answer(session_id=session.pk if session else None)


def pull_dynamic_schedule_update(call: Call) -> Answer:
    """We send no profile of kind Dynamic, so there is nothing newer."""
    info = status_info("UnknownProfile", "No dynamic profile has this id.")
    return Answer({"status": "Rejected", "statusInfo": info})


def notify_der_alarm(call: Call) -> Answer:
    """The grid is outside its limits, and the station reacted; or it is back."""
    said = call.payload
    fault = said.get("gridEventFault", "grid event")
    over = said.get("alarmEnded", False)
    words = f"{said['controlType']}: {fault}{', over' if over else ''} {said.get('extraInfo', '')}".strip()
    severity = Severity.INFO if over else Severity.WARNING
    return noted(call, Kind.PROFILE, words, severity=severity, said_at=said["timestamp"])


def notify_der_start_stop(call: Call) -> Answer:
    """A control of the grid began or ended."""
    said = call.payload
    words = f"control {said['controlId']} {'began' if said['started'] else 'ended'}"
    return noted(call, Kind.PROFILE, words, said_at=said["timestamp"])


def report_der_control(call: Call) -> Answer:
    """The controls of the grid that it has, for whoever asked."""
    report_ended(call)
    return noted(call, Kind.PROFILE, "controls of the grid")
