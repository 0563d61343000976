"""Variables, reports and monitors of OCPP 2.x."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dev.stations.commands.registry import Registry, accepted, status
from dev.stations.commands.shared import call_later
from dev.stations.device.settings import READ_ONLY, SECRET, WRITE_ONLY, Setting, component_variable, variable_name
from dev.stations.device.state import Json

if TYPE_CHECKING:
    from dev.stations.station import Station

COMMANDS = Registry()
ACTUAL = "Actual"
PART = 20  # rows of a report in one message
MONITORS = {"UpperThreshold": "Threshold", "LowerThreshold": "Threshold", "Delta": "Delta"}


def _asked(station: "Station", wanted: Json) -> Setting | str:
    """The variable that is asked for, or why there is none."""
    name = variable_name(wanted).lower()
    known = station.settings.known.values()
    found = next((one for one in known if one.name.lower() == name), None)
    if wanted.get("attributeType", ACTUAL) != ACTUAL:
        return "NotSupportedAttributeType"
    if found is not None:
        return found
    component = wanted["component"]["name"].lower()
    there = any(one.name.lower().startswith(f"{component}.") for one in known)
    return "UnknownVariable" if there else "UnknownComponent"


def _named(wanted: Json) -> Json:
    return {name: wanted[name] for name in ("component", "variable", "attributeType") if name in wanted}


@COMMANDS("GetVariables")
def _get_variables(station: "Station", said: Json) -> Json:
    results = []
    for wanted in said["getVariableData"]:
        found = _asked(station, wanted)
        if isinstance(found, str):
            results.append({**_named(wanted), "attributeStatus": found})
        elif found.mutability == WRITE_ONLY:
            results.append({**_named(wanted), "attributeStatus": "Rejected"})
        else:
            value = _value(station, found)
            results.append({**_named(wanted), "attributeStatus": "Accepted", "attributeValue": value})
    return {"getVariableResult": results}


def _value(station: "Station", setting: Setting) -> str:
    """What a variable is now; the state of an EVSE is what its connector says."""
    component, _, number = setting.name.partition(".AvailabilityState@")
    if component == "EVSE" and number:
        said = station.words.status(int(number)) or {}
        return str(said.get("connectorStatus", "Available"))
    return station.settings[setting.name]


@COMMANDS("SetVariables")
def _set_variables(station: "Station", said: Json) -> Json:
    results = []
    for wanted in said["setVariableData"]:
        found, value = _asked(station, wanted), wanted["attributeValue"]
        if isinstance(found, str):
            word = found
        elif found.mutability == READ_ONLY or not found.allows(value):
            word = "Rejected"
        elif found.name in SECRET:
            station.state.credential, word = value, "Accepted"  # used at the next connect
        else:
            station.state.settings[found.name] = value
            word = "RebootRequired" if found.reboot else "Accepted"
        results.append({**_named(wanted), "attributeStatus": word})
    return {"setVariableResult": results}


def report(station: "Station", action: str, member: str, rows: Sequence[Json], number: int, part: int = PART) -> None:
    """Say rows in several messages, when the command was answered."""
    parts = [rows[begin : begin + part] for begin in range(0, len(rows), part)] or [[]]
    for place, one in enumerate(parts):
        said: Json = {"requestId": number, "generatedAt": station.clock.text(), "seqNo": place}
        said |= {"tbc": place + 1 < len(parts)} | ({member: list(one)} if one else {})
        call_later(station, action, lambda said=said: said)  # type: ignore[misc]


def _row(station: "Station", setting: Setting) -> Json:
    attribute = {"type": ACTUAL, "mutability": setting.mutability}
    if setting.mutability != WRITE_ONLY:
        attribute["value"] = _value(station, setting)
    about = {"dataType": setting.type, "supportsMonitoring": setting.type in ("integer", "decimal")}
    if setting.type.endswith("List"):
        about["valuesList"] = setting.value
    return {**component_variable(setting.name), "variableAttribute": [attribute], "variableCharacteristics": about}


@COMMANDS("GetBaseReport")
def _base_report(station: "Station", said: Json) -> Json:
    known = list(station.settings.known.values())
    if said["reportBase"] == "ConfigurationInventory":
        known = [one for one in known if one.mutability != READ_ONLY]
    elif said["reportBase"] == "SummaryInventory":
        known = [one for one in known if "AvailabilityState" in one.name]
    rows = [_row(station, one) for one in known]
    report(station, "NotifyReport", "reportData", rows, said["requestId"])
    return accepted()


@COMMANDS("GetReport")
def _get_report(station: "Station", said: Json) -> Json:
    wanted = said.get("componentVariable")
    rows = [_row(station, one) for one in station.settings.known.values() if wanted is None or _among(one, wanted)]
    if not rows:
        return status("EmptyResultSet")
    report(station, "NotifyReport", "reportData", rows, said["requestId"])
    return accepted()


def _among(setting: Setting, wanted: Sequence[Json]) -> bool:
    """Whether a variable is one of those asked for: by its name, or by its component alone."""
    own = component_variable(setting.name)
    for one in wanted:
        same_component = one["component"]["name"].lower() == own["component"]["name"].lower()
        if same_component and ("variable" not in one or variable_name(one).lower() == setting.name.lower()):
            return True
    return False


@COMMANDS("SetVariableMonitoring")
def _set_monitoring(station: "Station", said: Json) -> Json:
    results = []
    for wanted in said["setMonitoringData"]:
        found = _asked(station, {name: wanted[name] for name in ("component", "variable")})
        result = {name: wanted[name] for name in ("component", "variable", "type", "severity")}
        if isinstance(found, str):
            results.append({**result, "status": found})
            continue
        number = wanted.get("id") or station.state.next_id()
        station.state.monitors = [one for one in station.state.monitors if one["id"] != number]
        station.state.monitors.append({**wanted, "id": number})
        results.append({**result, "id": number, "status": "Accepted"})
    return {"setMonitoringResult": results}


@COMMANDS("ClearVariableMonitoring")
def _clear_monitoring(station: "Station", said: Json) -> Json:
    known = {one["id"] for one in station.state.monitors}
    station.state.monitors = [one for one in station.state.monitors if one["id"] not in said["id"]]
    results = [{"id": number, **accepted(when=number in known, otherwise="NotFound")} for number in said["id"]]
    return {"clearMonitoringResult": results}


@COMMANDS("GetMonitoringReport")
def _monitoring_report(station: "Station", said: Json) -> Json:
    criteria = said.get("monitoringCriteria")
    rows = []
    for one in station.state.monitors:
        kind = MONITORS.get(one["type"], "Periodic")
        if criteria is None or f"{kind}Monitoring" in criteria:
            monitor = {name: one[name] for name in ("id", "value", "type", "severity")}
            monitor["transaction"] = one.get("transaction", False)
            if station.told.version == "2.1":
                monitor["eventNotificationType"] = "CustomMonitor"
            rows.append({"component": one["component"], "variable": one["variable"], "variableMonitoring": [monitor]})
    if not rows:
        return status("EmptyResultSet")
    report(station, "NotifyMonitoringReport", "monitor", rows, said["requestId"])
    return accepted()


@COMMANDS("SetMonitoringBase")
def _monitoring_base(station: "Station", said: Json) -> Json:
    if said["monitoringBase"] != "All":
        station.state.monitors = []  # it has none of its maker
    return accepted()


@COMMANDS("SetMonitoringLevel")
def _monitoring_level(station: "Station", said: Json) -> Json:
    return accepted(when=0 <= said["severity"] <= 9)
