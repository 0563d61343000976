"""Commands about charges, outlets, cards and charging profiles as messages of OCPP 2.0.1 and 2.1."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils import timezone

from gateway.ocpp.composing import Unsupported
from gateway.ocpp.phrasing import Composer, Payload, given, renamed, transaction_text
from stations.commands.listing import Entry, local_list_prepare
from stations.commands.params import V201
from stations.models import Command, Connector, Tariff

PURPOSES = {"ChargePointMaxProfile": "ChargingStationMaxProfile"}
NEW_PURPOSES = frozenset({"PriorityCharging", "LocalGeneration"})
LANGUAGE = "en"  # of the tariff's name, which has none of its own
PRICE_DIGITS = 6
RESETS = {"soft": "OnIdle", "on_idle": "OnIdle", "hard": "Immediate", "immediate": "Immediate"}
TRIGGERS = {
    "SignChargePointCertificate": "SignChargingStationCertificate",
    "DiagnosticsStatusNotification": "LogStatusNotification",
}


def id_token(card: Mapping[str, Any]) -> Payload:
    """A card as 2.x has it."""
    return {"idToken": card["uid"], "type": card.get("type", "ISO14443")}


def group_token(group: str) -> Payload | None:
    """The group of cards, which is a token of the central system."""
    return {"idToken": group, "type": "Central"} if group else None


def evse_of(params: Mapping[str, Any]) -> Payload | None:
    """The outlet, None for the whole station."""
    if not params.get("evse_id"):
        return None
    return renamed(params, evse_id="id", connector_id="connectorId")


def purpose_of(command: Command, purpose: str | None) -> str | None:
    """A profile's purpose in this version; raises Unsupported."""
    if purpose in NEW_PURPOSES and command.station.ocpp_version == V201:
        raise Unsupported(f"OCPP 2.0.1 has no charging profiles with the purpose {purpose}")
    return PURPOSES.get(purpose or "", purpose)


def profile_of(command: Command, profile: Mapping[str, Any], transaction_id: str = "") -> Payload:
    """A charging profile in 2.x's form; its schedule has the profile's own number."""
    periods = [
        given(startPeriod=one["start_s"], limit=one["limit"], numberPhases=one.get("phases"))
        for one in profile["periods"]
    ]
    schedule = given(
        id=profile["id"],
        startSchedule=profile.get("start_at"),
        duration=profile.get("duration_s"),
        chargingRateUnit=profile["unit"],
        minChargingRate=profile.get("min_rate"),
        chargingSchedulePeriod=periods,
    )
    return given(
        id=profile["id"],
        stackLevel=profile["stack_level"],
        chargingProfilePurpose=purpose_of(command, profile["purpose"]),
        chargingProfileKind=profile["kind"],
        recurrencyKind=profile.get("recurrency"),
        validFrom=profile.get("valid_from"),
        validTo=profile.get("valid_to"),
        transactionId=transaction_text(transaction_id),
        chargingSchedule=[schedule],
    )


def _remote_start(command: Command) -> tuple[str, Payload]:
    params = command.params
    profile = profile_of(command, params["profile"]) if params.get("profile") else None
    asked = {"remoteStartId": command.pk, "idToken": id_token(params["id_token"])}
    return "RequestStartTransaction", asked | given(evseId=params.get("evse_id"), chargingProfile=profile)


def _remote_stop(command: Command) -> tuple[str, Payload]:
    return "RequestStopTransaction", {"transactionId": transaction_text(command.params["transaction_id"])}


def _transaction_status(command: Command) -> tuple[str, Payload]:
    number = transaction_text(command.params.get("transaction_id", ""))
    return "GetTransactionStatus", given(transactionId=number)


def _unlock(command: Command) -> tuple[str, Payload]:
    number = command.params.get("connector_id", 1)
    return "UnlockConnector", {"evseId": command.params["evse_id"], "connectorId": number}


def _reset(command: Command) -> tuple[str, Payload]:
    return "Reset", {"type": RESETS[command.params["type"]]} | given(evseId=command.params.get("evse_id"))


def _change_availability(command: Command) -> tuple[str, Payload]:
    wanted = "Operative" if command.params["operative"] else "Inoperative"
    return "ChangeAvailability", {"operationalStatus": wanted} | given(evse=evse_of(command.params))


def _trigger(command: Command) -> tuple[str, Payload]:
    message = command.params["message"]
    return "TriggerMessage", given(requestedMessage=TRIGGERS.get(message, message), evse=evse_of(command.params))


def _reserve(command: Command) -> tuple[str, Payload]:
    params = command.params
    asked = {"id": command.pk, "expiryDateTime": params["expires_at"], "idToken": id_token(params["id_token"])}
    more = given(evseId=params.get("evse_id"), groupIdToken=group_token(params.get("group", "")))
    return "ReserveNow", asked | more


def _cancel_reservation(command: Command) -> tuple[str, Payload]:
    return "CancelReservation", {"reservationId": command.params["reservation_id"]}


def _set_profile(command: Command) -> tuple[str, Payload]:
    params = command.params
    profile = profile_of(command, params["profile"], params.get("transaction_id", ""))
    return "SetChargingProfile", {"evseId": params.get("evse_id", 0), "chargingProfile": profile}


def _clear_profile(command: Command) -> tuple[str, Payload]:
    params = command.params
    if params.get("profile_id") is not None:
        return "ClearChargingProfile", {"chargingProfileId": params["profile_id"]}
    purpose = purpose_of(command, params.get("purpose"))
    which = renamed(params, evse_id="evseId", stack_level="stackLevel") | given(chargingProfilePurpose=purpose)
    return "ClearChargingProfile", given(chargingProfileCriteria=which or None)


def _composite(command: Command) -> tuple[str, Payload]:
    names = {"evse_id": "evseId", "duration_s": "duration", "unit": "chargingRateUnit"}
    return "GetCompositeSchedule", renamed(command.params, **names)


def _get_profiles(command: Command) -> tuple[str, Payload]:
    params = command.params
    which = renamed(
        params, stack_level="stackLevel", profile_ids="chargingProfileId", sources="chargingLimitSource"
    ) | given(chargingProfilePurpose=purpose_of(command, params.get("purpose")))
    asked = {"requestId": command.pk, "chargingProfile": which}
    return "GetChargingProfiles", asked | given(evseId=params.get("evse_id"))


def _send_local_list(command: Command) -> tuple[str, Payload]:
    listed = local_list_prepare(command)
    kind = "Full" if listed.is_full else "Differential"
    entries = [_entry(entry) for entry in listed.entries]
    return "SendLocalList", given(versionNumber=listed.version, updateType=kind, localAuthorizationList=entries)


def _entry(entry: Entry) -> Payload:
    card = {"idToken": id_token({"uid": entry.uid, "type": entry.type})}
    if entry.status is None:  # to be removed; only in a differential list
        return card
    more = given(cacheExpiryDateTime=entry.expires_at, groupIdToken=group_token(entry.group))
    return {**card, "idTokenInfo": {"status": entry.status, **more}}


def _customer_information(command: Command) -> tuple[str, Payload]:
    params = command.params
    card = id_token(params["id_token"]) if params.get("id_token") else None
    asked = {"requestId": command.pk, "report": params["report"], "clear": params["clear"]}
    more = given(idToken=card, customerIdentifier=params.get("customer_identifier"))
    if len(more) != 1:
        raise Unsupported("expected either a card or the customer's name at the station")
    return "CustomerInformation", asked | more


# --- 2.1 alone


def tariff_of(tariff: Tariff) -> Payload:
    """Prices without VAT, as 2.1 has them; ours are with it."""
    taxes = [{"type": "vat", "tax": float(tariff.vat_percent)}] if tariff.vat_percent is not None else None
    net = 1 + (tariff.vat_percent or Decimal(0)) / 100
    per_kwh, per_session = (
        round(float(p / net), PRICE_DIGITS) for p in (tariff.price_per_kwh, tariff.price_per_session)
    )
    fixed = given(prices=[{"priceFixed": per_session}], taxRates=taxes) if per_session else None
    return given(
        tariffId=tariff.code,
        description=[{"format": "UTF8", "language": LANGUAGE, "content": tariff.name}],
        currency=tariff.currency,
        energy=given(prices=[{"priceKwh": per_kwh}], taxRates=taxes),
        fixedFee=fixed,
    )


def _set_default_tariff(command: Command) -> tuple[str, Payload]:
    """The one that holds there now; for the whole station, where all its outlets have the same."""
    evse_id = command.params["evse_id"]
    rows = Connector.objects.select_related("tariff", "station__site__tariff").filter(station=command.station)
    now = timezone.now()
    found = {row.tariff_at(now) for row in (rows.filter(evse_id=evse_id) if evse_id else rows)}
    tariff = found.pop() if len(found) == 1 else None
    if tariff is None:
        raise Unsupported("no tariff holds there now" if not found else "its outlets have several: send each its own")
    if "elements" in tariff.snapshot():
        raise Unsupported("the tariff has elements or limits: it is reckoned with here, not in the station")
    return "SetDefaultTariff", {"evseId": evse_id, "tariff": tariff_of(tariff)}


def _get_tariffs(command: Command) -> tuple[str, Payload]:
    return "GetTariffs", {"evseId": command.params["evse_id"]}


def _clear_tariffs(command: Command) -> tuple[str, Payload]:
    return "ClearTariffs", renamed(command.params, tariff_ids="tariffIds", evse_id="evseId")


def _use_priority_charging(command: Command) -> tuple[str, Payload]:
    params: Mapping[str, Any] = command.params
    number = transaction_text(params["transaction_id"])
    return "UsePriorityCharging", {"transactionId": number, "activate": params["activate"]}


COMPOSERS: Mapping[str, Composer] = {
    "remote_start": _remote_start,
    "remote_stop": _remote_stop,
    "get_transaction_status": _transaction_status,
    "unlock": _unlock,
    "reset": _reset,
    "change_availability": _change_availability,
    "trigger_message": _trigger,
    "reserve": _reserve,
    "cancel_reservation": _cancel_reservation,
    "set_profile": _set_profile,
    "clear_profile": _clear_profile,
    "get_composite_schedule": _composite,
    "get_profiles": _get_profiles,
    "send_local_list": _send_local_list,
    "get_local_list_version": lambda command: ("GetLocalListVersion", {}),
    "clear_cache": lambda command: ("ClearCache", {}),
    "customer_information": _customer_information,
    "set_default_tariff": _set_default_tariff,
    "get_tariffs": _get_tariffs,
    "clear_tariffs": _clear_tariffs,
    "use_priority_charging": _use_priority_charging,
}
