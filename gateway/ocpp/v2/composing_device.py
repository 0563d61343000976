"""Commands about variables, monitors, firmware, logs, certificates and the display in OCPP 2.0.1 and 2.1."""

from collections.abc import Mapping
from typing import Any

from gateway.ocpp.composing import Unsupported
from gateway.ocpp.phrasing import Composer, Payload, given, renamed, transaction_text, unsealed
from stations.commands.params import V21
from stations.models import Command

CERTIFICATE_USES = {"CentralSystemRootCertificate": "CSMSRootCertificate"}
LOGS = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog", "data_collector": "DataCollectorLog"}
TRIES = {"retries": "retries", "retry_interval_s": "retryInterval"}


def place(one: Mapping[str, Any]) -> Payload:
    """Component, and variable where one is named."""
    evse = renamed(one, evse_id="id", connector_id="connectorId") if one.get("evse_id") else None
    component = given(name=one["component"], instance=one.get("component_instance"), evse=evse)
    variable = given(name=one["variable"], instance=one.get("instance")) if one.get("variable") else None
    return given(component=component, variable=variable)


def _get_variables(command: Command) -> tuple[str, Payload]:
    asked = [place(one) | given(attributeType=one.get("attribute")) for one in command.params["variables"]]
    return "GetVariables", {"getVariableData": asked}


def _set_variables(command: Command) -> tuple[str, Payload]:
    wanted = [
        place(one) | {"attributeValue": one["value"]} | given(attributeType=one.get("attribute"))
        for one in command.params["variables"]
    ]
    return "SetVariables", {"setVariableData": wanted}


def _set_credential(command: Command) -> tuple[str, Payload]:
    variable = place({"component": "SecurityCtrlr", "variable": "BasicAuthPassword"})
    return "SetVariables", {"setVariableData": [variable | {"attributeValue": unsealed(command.params)}]}


def _base_report(command: Command) -> tuple[str, Payload]:
    return "GetBaseReport", {"requestId": command.pk, "reportBase": command.params["report"]}


def _report(command: Command) -> tuple[str, Payload]:
    about = [place(one) for one in command.params.get("variables") or []]
    criteria = command.params.get("criteria")
    return "GetReport", {"requestId": command.pk} | given(componentVariable=about, componentCriteria=criteria)


def _monitoring_report(command: Command) -> tuple[str, Payload]:
    about = [place(one) for one in command.params.get("variables") or []]
    criteria = command.params.get("criteria")
    asked = {"requestId": command.pk} | given(componentVariable=about, monitoringCriteria=criteria)
    return "GetMonitoringReport", asked


def _monitoring_base(command: Command) -> tuple[str, Payload]:
    return "SetMonitoringBase", {"monitoringBase": command.params["base"]}


def _monitoring_level(command: Command) -> tuple[str, Payload]:
    return "SetMonitoringLevel", {"severity": command.params["severity"]}


def _monitors(command: Command) -> tuple[str, Payload]:
    names = {"id": "id", "transaction": "transaction", "value": "value", "type": "type", "severity": "severity"}
    wanted = [place(one) | renamed(one, **names) for one in command.params["monitors"]]
    return "SetVariableMonitoring", {"setMonitoringData": wanted}


def _clear_monitors(command: Command) -> tuple[str, Payload]:
    return "ClearVariableMonitoring", {"id": command.params["ids"]}


def _network_profile(command: Command) -> tuple[str, Payload]:
    params = command.params
    names = {"url": "ocppCsmsUrl", "security_profile": "securityProfile", "interface": "ocppInterface"}
    names |= {"message_timeout_s": "messageTimeout"}
    version = params.get("ocpp_version")
    if command.station.ocpp_version != V21:
        version = version or "OCPP20"
    if command.station.ocpp_version != V21 and (version in {"OCPP201", "OCPP21"} or params["interface"] == "Any"):
        raise Unsupported("OCPP 2.0.1 has no such version or interface in network profiles")
    data = renamed(params, **names) | given(ocppVersion=version, ocppTransport="JSON")
    return "SetNetworkProfile", {"configurationSlot": params["slot"], "connectionData": data}


def _update_firmware(command: Command) -> tuple[str, Payload]:
    names = {"location": "location", "retrieve_at": "retrieveDateTime", "install_at": "installDateTime"}
    names |= {"signing_certificate": "signingCertificate", "signature": "signature"}
    firmware = renamed(command.params, **names)
    return "UpdateFirmware", {"requestId": command.pk, "firmware": firmware, **renamed(command.params, **TRIES)}


def _publish_firmware(command: Command) -> tuple[str, Payload]:
    members = renamed(command.params, location="location", checksum="checksum", **TRIES)
    return "PublishFirmware", {"requestId": command.pk, **members}


def _unpublish_firmware(command: Command) -> tuple[str, Payload]:
    return "UnpublishFirmware", {"checksum": command.params["checksum"]}


def _get_log(command: Command) -> tuple[str, Payload]:
    params = command.params
    if params["type"] == "data_collector" and command.station.ocpp_version != V21:
        raise Unsupported("OCPP 2.0.1 has no log of collected data")
    log = renamed(params, location="remoteLocation", oldest="oldestTimestamp", latest="latestTimestamp")
    asked = {"requestId": command.pk, "logType": LOGS[params["type"]], "log": log}
    return "GetLog", asked | renamed(params, **TRIES)


def _certificate_signed(command: Command) -> tuple[str, Payload]:
    params = command.params
    use = params.get("type", "ChargingStationCertificate")
    number = params.get("request_id") if command.station.ocpp_version == V21 else None
    return "CertificateSigned", given(certificateChain=params["chain_pem"], certificateType=use, requestId=number)


def _install_certificate(command: Command) -> tuple[str, Payload]:
    use = certificate_use(command, command.params["type"])
    return "InstallCertificate", {"certificateType": use, "certificate": command.params["pem"]}


def certificate_use(command: Command, use: str) -> str:
    """A root's use under this version's name; raises Unsupported."""
    if use == "OEMRootCertificate" and command.station.ocpp_version != V21:
        raise Unsupported("OCPP 2.0.1 has no certificates for the use OEMRootCertificate")
    return CERTIFICATE_USES.get(use, use)


def _certificate_ids(command: Command) -> tuple[str, Payload]:
    uses = [certificate_use(command, use) for use in command.params.get("types") or []]
    return "GetInstalledCertificateIds", given(certificateType=uses)


def _delete_certificate(command: Command) -> tuple[str, Payload]:
    names = {"hash_algorithm": "hashAlgorithm", "issuer_name_hash": "issuerNameHash"}
    names |= {"issuer_key_hash": "issuerKeyHash", "serial_number": "serialNumber"}
    return "DeleteCertificate", {"certificateHashData": renamed(command.params["hash_data"], **names)}


def _set_display_message(command: Command) -> tuple[str, Payload]:
    params = command.params
    if params.get("format") == "QRCODE" and command.station.ocpp_version != V21:
        raise Unsupported("OCPP 2.0.1 shows no QR codes")
    content = renamed(params, content="content", language="language")
    message = {"format": params.get("format", "UTF8"), **content}
    names = {"message_id": "id", "priority": "priority", "state": "state"}
    names |= {"starts_at": "startDateTime", "ends_at": "endDateTime"}
    number = transaction_text(params.get("transaction_id", ""))
    shown = renamed(params, **names) | {"message": message} | given(transactionId=number)
    return "SetDisplayMessage", {"message": shown}


def _display_messages(command: Command) -> tuple[str, Payload]:
    asked = renamed(command.params, ids="id", priority="priority", state="state")
    return "GetDisplayMessages", {"requestId": command.pk, **asked}


def _clear_display_message(command: Command) -> tuple[str, Payload]:
    return "ClearDisplayMessage", {"id": command.params["message_id"]}


def _cost_updated(command: Command) -> tuple[str, Payload]:
    number = transaction_text(command.params["transaction_id"])
    return "CostUpdated", {"totalCost": command.params["total_cost"], "transactionId": number}


def _data_transfer(command: Command) -> tuple[str, Payload]:
    return "DataTransfer", renamed(command.params, vendor_id="vendorId", message_id="messageId", data="data")


COMPOSERS: Mapping[str, Composer] = {
    "get_variables": _get_variables,
    "set_variables": _set_variables,
    "set_credential": _set_credential,
    "get_base_report": _base_report,
    "get_report": _report,
    "set_monitoring_base": _monitoring_base,
    "set_monitoring_level": _monitoring_level,
    "set_variable_monitoring": _monitors,
    "get_monitoring_report": _monitoring_report,
    "clear_variable_monitoring": _clear_monitors,
    "set_network_profile": _network_profile,
    "update_firmware": _update_firmware,
    "publish_firmware": _publish_firmware,
    "unpublish_firmware": _unpublish_firmware,
    "get_log": _get_log,
    "certificate_signed": _certificate_signed,
    "install_certificate": _install_certificate,
    "get_certificate_ids": _certificate_ids,
    "delete_certificate": _delete_certificate,
    "set_display_message": _set_display_message,
    "get_display_messages": _display_messages,
    "clear_display_message": _clear_display_message,
    "cost_updated": _cost_updated,
    "data_transfer": _data_transfer,
}
