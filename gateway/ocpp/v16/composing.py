"""Commands as messages of OCPP 1.6 and its security whitepaper, and what the answers mean.

A connector of 1.6 is an EVSE with connector 1; connector 0 is the whole station.
"""

from collections.abc import Mapping
from typing import Any

from gateway.ocpp.composing import Unsupported
from gateway.ocpp.phrasing import (
    Composer,
    Payload,
    State,
    answer_hide,
    given,
    guarded,
    hidden,
    renamed,
    status_outcome,
    unsealed,
)
from stations.commands.cards import local_list_taken
from stations.commands.kinds import KINDS
from stations.commands.listing import Entry, local_list_prepare
from stations.commands.noting import keys_note, variable_note
from stations.commands.params import V16
from stations.commands.reservations import reservation_cancelled, reservation_made
from stations.models import Command

ID_TAG_MAX = 20
# The security whitepaper's names for what is called otherwise in 2.x.
CERTIFICATE_USES = {"CSMSRootCertificate": "CentralSystemRootCertificate"}
TRIGGERS = {"SignChargingStationCertificate": "SignChargePointCertificate"}
EXTENDED = frozenset({"LogStatusNotification", "SignChargePointCertificate"})
PURPOSES = {"ChargingStationMaxProfile": "ChargePointMaxProfile"}
RESETS = {"soft": "Soft", "on_idle": "Soft", "hard": "Hard", "immediate": "Hard"}
AUTHORIZATION_KEY = "AuthorizationKey"


def id_tag(uid: str) -> str:
    """A card's number as 1.6 has it, of at most 20 characters; raises Unsupported."""
    if len(uid) > ID_TAG_MAX:
        raise Unsupported(f"OCPP 1.6 knows cards of at most {ID_TAG_MAX} characters, this one has {len(uid)}")
    return uid


def transaction_number(text: str) -> int:
    """The charge's number, which is a whole one in 1.6; raises Unsupported."""
    try:
        return int(text)
    except ValueError as error:
        raise Unsupported(f"charges over OCPP 1.6 have whole numbers, {text!a} is none") from error


def profile_of(profile: Mapping[str, Any], transaction_id: str = "") -> Payload:
    """A charging profile in 1.6's form, limits to a tenth."""
    purpose = PURPOSES.get(profile["purpose"], profile["purpose"])
    if purpose not in {"ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"}:
        raise Unsupported(f"OCPP 1.6 has no charging profiles with the purpose {purpose}")
    periods = [
        given(startPeriod=one["start_s"], limit=round(one["limit"], 1), numberPhases=one.get("phases"))
        for one in profile["periods"]
    ]
    rate = profile.get("min_rate")
    schedule = given(
        duration=profile.get("duration_s"),
        startSchedule=profile.get("start_at"),
        chargingRateUnit=profile["unit"],
        chargingSchedulePeriod=periods,
        minChargingRate=None if rate is None else round(rate, 1),
    )
    return given(
        chargingProfileId=profile["id"],
        transactionId=transaction_number(transaction_id) if transaction_id else None,
        stackLevel=profile["stack_level"],
        chargingProfilePurpose=purpose,
        chargingProfileKind=profile["kind"],
        recurrencyKind=profile.get("recurrency"),
        validFrom=profile.get("valid_from"),
        validTo=profile.get("valid_to"),
        chargingSchedule=schedule,
    )


def _remote_start(command: Command) -> tuple[str, Payload]:
    params = command.params
    profile = profile_of(params["profile"]) if params.get("profile") else None
    tag = id_tag(params["id_token"]["uid"])
    return "RemoteStartTransaction", given(idTag=tag, connectorId=params.get("evse_id"), chargingProfile=profile)


def _remote_stop(command: Command) -> tuple[str, Payload]:
    return "RemoteStopTransaction", {"transactionId": transaction_number(command.params["transaction_id"])}


def _unlock(command: Command) -> tuple[str, Payload]:
    return "UnlockConnector", {"connectorId": command.params["evse_id"]}


def _reset(command: Command) -> tuple[str, Payload]:
    if command.params.get("evse_id"):
        raise Unsupported("a station over OCPP 1.6 starts anew as a whole")
    return "Reset", {"type": RESETS[command.params["type"]]}


def _change_availability(command: Command) -> tuple[str, Payload]:
    wanted = "Operative" if command.params["operative"] else "Inoperative"
    return "ChangeAvailability", {"connectorId": command.params.get("evse_id", 0), "type": wanted}


def _trigger(command: Command) -> tuple[str, Payload]:
    message = command.params["message"]
    message = TRIGGERS.get(message, message)
    action = "ExtendedTriggerMessage" if message in EXTENDED else "TriggerMessage"
    return action, given(requestedMessage=message, connectorId=command.params.get("evse_id"))


def _reserve(command: Command) -> tuple[str, Payload]:
    params = command.params
    tag, group = id_tag(params["id_token"]["uid"]), id_tag(params.get("group", ""))
    number = params.get("evse_id", 0)
    asked = {"connectorId": number, "expiryDate": params["expires_at"], "idTag": tag, "reservationId": command.pk}
    return "ReserveNow", {**asked, **given(parentIdTag=group)}


def _cancel_reservation(command: Command) -> tuple[str, Payload]:
    return "CancelReservation", {"reservationId": command.params["reservation_id"]}


def _get_configuration(command: Command) -> tuple[str, Payload]:
    return "GetConfiguration", given(key=command.params.get("keys"))


def _change_configuration(command: Command) -> tuple[str, Payload]:
    return "ChangeConfiguration", {"key": command.params["key"], "value": command.params["value"]}


def _set_credential(command: Command) -> tuple[str, Payload]:
    """Its bytes in hexadecimal, as the security whitepaper has it."""
    return "ChangeConfiguration", {"key": AUTHORIZATION_KEY, "value": unsealed(command.params).encode().hex()}


def _set_profile(command: Command) -> tuple[str, Payload]:
    params = command.params
    profile = profile_of(params["profile"], params.get("transaction_id", ""))
    return "SetChargingProfile", {"connectorId": params.get("evse_id", 0), "csChargingProfiles": profile}


def _clear_profile(command: Command) -> tuple[str, Payload]:
    purpose = command.params.get("purpose")
    members = renamed(command.params, profile_id="id", evse_id="connectorId", stack_level="stackLevel")
    return "ClearChargingProfile", members | given(chargingProfilePurpose=PURPOSES.get(purpose or "", purpose))


def _composite(command: Command) -> tuple[str, Payload]:
    names = {"evse_id": "connectorId", "duration_s": "duration", "unit": "chargingRateUnit"}
    return "GetCompositeSchedule", renamed(command.params, **names)


def _send_local_list(command: Command) -> tuple[str, Payload]:
    listed = local_list_prepare(command)
    entries = [_entry(entry, is_full=listed.is_full) for entry in listed.entries]
    kind = "Full" if listed.is_full else "Differential"
    return "SendLocalList", given(listVersion=listed.version, updateType=kind, localAuthorizationList=entries)


def _entry(entry: Entry, *, is_full: bool) -> Payload:
    if entry.status is None:  # to be removed; only in a differential list
        return {"idTag": entry.uid}
    group = entry.group if len(entry.group) <= ID_TAG_MAX else ""
    info = given(expiryDate=entry.expires_at, parentIdTag=group, status=entry.status)
    return {"idTag": entry.uid, "idTagInfo": info}


def _update_firmware(command: Command) -> tuple[str, Payload]:
    params = command.params
    tries = renamed(params, retries="retries", retry_interval_s="retryInterval")
    if bool(params.get("signing_certificate")) != bool(params.get("signature")):
        raise Unsupported("signed firmware over OCPP 1.6 needs the maker's certificate and the signature")
    if params.get("signature"):
        names = {"retrieve_at": "retrieveDateTime", "install_at": "installDateTime"}
        names |= {"signing_certificate": "signingCertificate", "signature": "signature", "location": "location"}
        return "SignedUpdateFirmware", {"requestId": command.pk, "firmware": renamed(params, **names), **tries}
    if params.get("install_at"):
        raise Unsupported("over OCPP 1.6 only signed firmware has a time at which it is installed")
    return "UpdateFirmware", {"location": params["location"], "retrieveDate": params["retrieve_at"], **tries}


def _get_log(command: Command) -> tuple[str, Payload]:
    """GetDiagnostics is the older one, which all have; the security log is the whitepaper's."""
    params = command.params
    tries = renamed(params, retries="retries", retry_interval_s="retryInterval")
    if params["type"] == "diagnostics":
        times = renamed(params, oldest="startTime", latest="stopTime")
        return "GetDiagnostics", {"location": params["location"], **times, **tries}
    if params["type"] != "security":
        raise Unsupported(f"OCPP 1.6 has no log {params['type']}")
    log = renamed(params, location="remoteLocation", oldest="oldestTimestamp", latest="latestTimestamp")
    return "GetLog", {"requestId": command.pk, "logType": "SecurityLog", "log": log, **tries}


def _certificate_signed(command: Command) -> tuple[str, Payload]:
    return "CertificateSigned", {"certificateChain": command.params["chain_pem"]}


def _install_certificate(command: Command) -> tuple[str, Payload]:
    use = certificate_use(command.params["type"])
    return "InstallCertificate", {"certificateType": use, "certificate": command.params["pem"]}


def _certificate_ids(command: Command) -> tuple[str, Payload]:
    uses = command.params.get("types") or []
    if len(uses) != 1:
        raise Unsupported("a station over OCPP 1.6 is asked for the certificates of one use at a time")
    return "GetInstalledCertificateIds", {"certificateType": certificate_use(uses[0])}


def certificate_use(use: str) -> str:
    """The whitepaper's name of a root's use; raises Unsupported."""
    name = CERTIFICATE_USES.get(use, use)
    if name not in {"CentralSystemRootCertificate", "ManufacturerRootCertificate"}:
        raise Unsupported(f"OCPP 1.6 has no certificates for the use {use}")
    return name


def hash_data(data: Mapping[str, Any]) -> Payload:
    """Which certificate, by its hashes."""
    names = {"hash_algorithm": "hashAlgorithm", "issuer_name_hash": "issuerNameHash"}
    names |= {"issuer_key_hash": "issuerKeyHash", "serial_number": "serialNumber"}
    return renamed(data, **names)


def _delete_certificate(command: Command) -> tuple[str, Payload]:
    return "DeleteCertificate", {"certificateHashData": hash_data(command.params["hash_data"])}


def _data_transfer(command: Command) -> tuple[str, Payload]:
    return "DataTransfer", renamed(command.params, vendor_id="vendorId", message_id="messageId", data="data")


_COMPOSERS: dict[str, Composer] = {
    "remote_start": _remote_start,
    "remote_stop": _remote_stop,
    "unlock": _unlock,
    "reset": _reset,
    "change_availability": _change_availability,
    "trigger_message": _trigger,
    "reserve": _reserve,
    "cancel_reservation": _cancel_reservation,
    "get_configuration": _get_configuration,
    "change_configuration": _change_configuration,
    "set_credential": _set_credential,
    "set_profile": _set_profile,
    "clear_profile": _clear_profile,
    "get_composite_schedule": _composite,
    "send_local_list": _send_local_list,
    "get_local_list_version": lambda command: ("GetLocalListVersion", {}),
    "clear_cache": lambda command: ("ClearCache", {}),
    "update_firmware": _update_firmware,
    "get_log": _get_log,
    "certificate_signed": _certificate_signed,
    "install_certificate": _install_certificate,
    "get_certificate_ids": _certificate_ids,
    "delete_certificate": _delete_certificate,
    "data_transfer": _data_transfer,
}
COMPOSERS: Mapping[str, Composer] = {name: guarded(name, _COMPOSERS.get(name), V16) for name in KINDS}


def outcome(command: Command, payload: Payload) -> tuple[State, str]:
    """What the station's answer means."""
    if command.kind == "get_configuration":
        unknown = payload.get("unknownKey") or []
        words = f"{len(payload.get('configurationKey') or [])} keys"
        return State.ACCEPTED, (words + (f", unknown: {', '.join(unknown)}" if unknown else ""))[:500]
    if command.kind == "get_local_list_version":
        return State.ACCEPTED, _version_words(payload["listVersion"])
    if command.action == "GetDiagnostics":
        name = payload.get("fileName")
        return (State.ACCEPTED, str(name)) if name else (State.REJECTED, "it has nothing to send")
    if command.kind == "get_certificate_ids":
        return State.ACCEPTED, f"{len(payload.get('certificateHashData') or [])} certificates"
    return status_outcome(payload)


def _version_words(version: int) -> str:
    return "it keeps no list of cards" if version < 0 else "its list is empty" if version == 0 else f"version {version}"


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
    if command.kind == "get_configuration":
        keys_note(command.station, payload.get("configurationKey") or [])
        answer_hide(command, payload, items="configurationKey", value="value")
    elif command.kind == "change_configuration" and status == "Accepted":
        variable_note(command.station, variable=command.params["key"], value=command.params["value"])
    elif command.kind == "reserve" and status == "Accepted":
        reservation_made(command)
    elif command.kind == "cancel_reservation" and status == "Accepted":
        reservation_cancelled(command)
    elif command.kind == "send_local_list":
        local_list_taken(command, status=str(status))
