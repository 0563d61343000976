"""The station starts, gives signs of life, and says how its outlets and its configuration are."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.times import time_text
from gateway.ocpp.v2.noting import report_ended, status_info
from gateway.ocpp.v2.numbers import number_read
from gateway.ocpp.v2.outlets import outlet_report


def boot_notification(call: Call) -> Answer:
    """Accepted, unless it is switched off here; charges go on until they are said to have ended."""
    return boot_notification_many([call])[0]


def boot_notification_many(together: Sequence[Call]) -> list[Answer]:
    """The same of many."""
    booted = [calls.Booted(call.station, _boot(call.payload), call.version, call.at) for call in together]
    off = {"status": "Rejected", "statusInfo": status_info("SwitchedOff", "It may not report now.")}
    return [
        Answer(
            {"currentTime": time_text(call.at), "interval": settings.OCPP_HEARTBEAT_S}
            | ({"status": "Accepted"} if may else off)
        )
        for call, may in zip(together, calls.stations_booted(booted), strict=True)
    ]


def _boot(payload: Mapping[str, Any]) -> calls.Boot:
    said = payload["chargingStation"]
    modem = said.get("modem", {})
    known = {name: modem[name] for name in ("iccid", "imsi") if modem.get(name)}
    return calls.Boot(
        vendor=said["vendorName"],
        model=said["model"],
        serial_number=said.get("serialNumber", ""),
        firmware_version=said.get("firmwareVersion", ""),
        more={"reason": payload["reason"], **known},
    )


def heartbeat(call: Call) -> Answer:
    """The time."""
    return Answer({"currentTime": time_text(call.at)})


def status_notification(call: Call) -> Answer:
    """How a connector is; connector 0 of an EVSE: all of its."""
    said = call.payload
    outlet_report(call, said["evseId"], said["connectorId"], said["connectorStatus"], said["timestamp"])
    return Answer()


def notify_report(call: Call) -> Answer:
    """A part of what the station is made of and set to; the parts may come in any order."""
    at = calls.clock(call.station, call.payload["generatedAt"], call.at).at
    variables = [one for said in call.payload.get("reportData", []) for one in _variables(said)]
    calls.variables_report(call.station, variables, at)
    report_ended(call)
    return Answer()


def _variables(said: Mapping[str, Any]) -> list[calls.Variable]:
    """One a kind of value that it has (Actual, Target, MinSet, MaxSet)."""
    component, variable = said["component"], said["variable"]
    evse = component.get("evse", {})
    is_ = said.get("variableCharacteristics", {})
    return [
        calls.Variable(
            component=calls.plain_text(component["name"], 50),
            component_instance=calls.plain_text(component.get("instance"), 50),
            evse_id=number_read(evse.get("id")),
            connector_id=number_read(evse.get("connectorId")),
            variable=calls.plain_text(variable["name"], 50),
            instance=calls.plain_text(variable.get("instance"), 50),
            attribute=one.get("type", "Actual"),
            value=one.get("value", ""),
            mutability=one.get("mutability", "ReadWrite"),
            data_type=is_.get("dataType", ""),
            unit=calls.plain_text(is_.get("unit"), 16),
        )
        for one in said["variableAttribute"]
    ]
