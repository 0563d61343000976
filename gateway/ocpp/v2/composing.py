"""Commands as messages of OCPP 2.0.1 and 2.1, and what the answers mean. `command.station.ocpp_version` says which."""

from collections.abc import Mapping
from typing import Any

from gateway.ocpp.phrasing import (
    Composer,
    Payload,
    State,
    answer_hide,
    guarded,
    hidden,
    several,
    status_outcome,
    with_reason,
)
from gateway.ocpp.v2 import composing_charging, composing_device
from stations.commands.cards import local_list_taken
from stations.commands.kinds import KINDS
from stations.commands.noting import variable_note
from stations.commands.params import V201
from stations.commands.reservations import reservation_cancelled, reservation_made
from stations.models import Command

_COMPOSERS: dict[str, Composer] = {
    **composing_charging.COMPOSERS,
    **composing_device.COMPOSERS,
}


COMPOSERS: Mapping[str, Composer] = {name: guarded(name, _COMPOSERS.get(name), V201) for name in KINDS}
# Answers about several things at once: where they are, and whose status counts.
SEVERAL = {
    "get_variables": ("getVariableResult", "attributeStatus", "attributeStatusInfo"),
    "set_variables": ("setVariableResult", "attributeStatus", "attributeStatusInfo"),
    "set_credential": ("setVariableResult", "attributeStatus", "attributeStatusInfo"),
    "set_variable_monitoring": ("setMonitoringResult", "status", "statusInfo"),
    "clear_variable_monitoring": ("clearMonitoringResult", "status", "statusInfo"),
    "clear_tariffs": ("clearTariffsResult", "status", "statusInfo"),
}


def outcome(command: Command, payload: Payload) -> tuple[State, str]:
    """What the station's answer means."""
    if command.kind in SEVERAL:
        member, status, info = SEVERAL[command.kind]
        return several([(_name(one), with_reason(one[status], one.get(info))) for one in payload[member]])
    if command.kind == "get_local_list_version":
        version = payload["versionNumber"]
        return State.ACCEPTED, f"version {version}" if version else "its list is empty"
    if command.kind == "get_certificate_ids":
        return State.ACCEPTED, f"{len(payload.get('certificateHashDataChain') or [])} certificates"
    if command.kind == "get_tariffs" and payload["status"] in ("Accepted", "NoTariff"):
        return State.ACCEPTED, ", ".join(one["tariffId"] for one in payload.get("tariffAssignments") or []) or "none"
    if command.kind == "get_transaction_status":
        going = "" if "ongoingIndicator" not in payload else "goes on" if payload["ongoingIndicator"] else "is over"
        queued = "messages wait to be sent" if payload["messagesInQueue"] else "no messages wait to be sent"
        return State.ACCEPTED, ", ".join(filter(None, (going, queued)))
    return status_outcome(payload)


def _name(one: Mapping[str, Any]) -> str:
    if "component" not in one:
        return str(one.get("id", one.get("tariffId", "")))
    return f"{one['component']['name']}.{one['variable']['name']}"


def shown(command: Command, payload: Payload) -> Payload:
    """What the log of messages keeps of it: no secrets."""
    return hidden(command, payload)


def took(command: Command, payload: Payload) -> None:
    """What follows here from the station's answer; in the transaction in which it is stored.

    Of an answer that is not valid (REFUSED) nothing follows.
    """
    if command.state == State.REFUSED:
        return
    status = payload.get("status")
    if command.kind == "get_variables":
        for one in payload["getVariableResult"]:
            if one["attributeStatus"] == "Accepted":
                _note(command, one, str(one.get("attributeValue", "")))
        answer_hide(command, payload, items="getVariableResult", value="attributeValue")
    elif command.kind == "set_variables":
        wanted = command.params["variables"]
        for asked, one in zip(wanted, payload["setVariableResult"], strict=False):
            if one["attributeStatus"] == "Accepted" and _name(one) == f"{asked['component']}.{asked['variable']}":
                _note(command, one, asked["value"])
    elif command.kind == "reserve" and status == "Accepted":
        reservation_made(command)
    elif command.kind == "cancel_reservation" and status == "Accepted":
        reservation_cancelled(command)
    elif command.kind == "send_local_list":
        local_list_taken(command, status=str(status))


def _note(command: Command, one: Mapping[str, Any], value: str) -> None:
    component, variable = one["component"], one["variable"]
    evse = component.get("evse") or {}
    variable_note(
        command.station,
        component=component["name"],
        component_instance=component.get("instance"),
        evse_id=evse.get("id"),
        connector_id=evse.get("connectorId"),
        variable=variable["name"],
        instance=variable.get("instance"),
        attribute=one.get("attributeType"),
        value=value,
    )
