"""PURE: what can be asked of a station: each kind of command with its parameters, and OCPP's message for it.

This is the one table: the REST API's checks, the admin's forms, docs/ocpp.md and the OpenAPI document come from it.
The messages are composed in gateway/ocpp/v16/ and v2/.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from stations.commands import shapes as s
from stations.commands.kind import Kind, every, two
from stations.commands.params import V2, V16, V21, Choice, Param, ParamsWrong, Type, checked

CHARGING, UPKEEP, SETTINGS = _("Charging"), _("Firmware and logs"), _("Configuration")
POWER, CARDS, TRUST, DISPLAY = _("Charging profiles"), _("Cards"), _("Certificates"), _("Display and vendor")


def _charging() -> list[Kind]:
    profile = Param("profile", Type.OBJECT, s.PROFILE.words, members=s.PROFILE.members)
    start = (s.ID_TOKEN, s.EVSE, s.CONNECTOR, profile)
    reservation = s.whole("reservation_id", _("reservation number"), 0, required=True)
    until = s.moment("expires_at", _("until"), required=True)
    return [
        Kind(
            "remote_start",
            _("Start a charge"),
            CHARGING,
            every("RequestStartTransaction", v16="RemoteStartTransaction"),
            start,
        ),
        Kind(
            "remote_stop",
            _("Stop a charge"),
            CHARGING,
            every("RequestStopTransaction", v16="RemoteStopTransaction"),
            (s.TRANSACTION_REQUIRED,),
            effect=_("The charge ends. The driver has to start a new one to go on."),
        ),
        Kind("unlock", _("Unlock the cable"), CHARGING, every("UnlockConnector"), (s.EVSE_REQUIRED, s.CONNECTOR)),
        Kind(
            "reserve",
            _("Reserve an outlet"),
            CHARGING,
            every("ReserveNow"),
            (s.ID_TOKEN, s.EVSE, s.CONNECTOR, until, s.GROUP),
        ),
        Kind("cancel_reservation", _("Cancel a reservation"), CHARGING, every("CancelReservation"), (reservation,)),
    ]


def _service() -> list[Kind]:
    operative = Param("operative", Type.FLAG, _("may be used"), required=True)
    trigger = s.choice("message", _("message"), *s.MESSAGES, required=True)
    reset = s.choice("type", _("how"), *s.RESETS, required=True)
    of_evse = s.whole("evse_id", _("EVSE number"), 1, maximum=100_000, versions=V2)
    return [
        Kind(
            "reset",
            _("Restart the station"),
            UPKEEP,
            every("Reset"),
            (reset, of_evse),
            effect=_("The station starts anew. Charges that go on may end."),
            at_once=True,
        ),
        Kind(
            "change_availability",
            _("Take in or out of service"),
            CHARGING,
            every("ChangeAvailability"),
            (operative, s.EVSE, s.CONNECTOR),
            at_once=True,
        ),
        Kind(
            "trigger_message",
            _("Have it send a message"),
            UPKEEP,
            every("TriggerMessage"),
            (trigger, s.EVSE, s.CONNECTOR),
            at_once=True,
        ),
        Kind(
            "get_transaction_status", _("Ask about a charge"), CHARGING, two("GetTransactionStatus"), (s.TRANSACTION,)
        ),
    ]


def _settings() -> list[Kind]:
    keys = Param("keys", Type.TEXTS, _("keys, none for all"), minimum=1, maximum=50)
    report = s.choice(
        "report", _("report"), "FullInventory", "ConfigurationInventory", "SummaryInventory", required=True
    )
    criteria = s.choice("criteria", _("criteria"), "Active", "Available", "Enabled", "Problem", many=True)
    network = (
        s.whole("slot", _("slot"), 0, maximum=1000, required=True),
        s.text("url", _("address of the central system"), 512, required=True),
        s.SECURITY_PROFILE,
        s.choice("interface", _("interface"), *s.INTERFACES, required=True),
        s.whole("message_timeout_s", _("time for an answer, seconds"), 1, maximum=3600, required=True),
        s.choice("ocpp_version", _("OCPP version"), *s.OCPP_VERSIONS),
    )
    key_value = (
        s.text("key", _("key"), 50, required=True),
        Param("value", Type.TEXT, _("value"), required=True, minimum=0, maximum=500),
    )
    return [
        Kind("get_configuration", _("Read configuration keys"), SETTINGS, {V16: "GetConfiguration"}, (keys,)),
        Kind("change_configuration", _("Set a configuration key"), SETTINGS, {V16: "ChangeConfiguration"}, key_value),
        Kind("get_variables", _("Read variables"), SETTINGS, two("GetVariables"), (s.VARIABLES,)),
        Kind("set_variables", _("Set variables"), SETTINGS, two("SetVariables"), (s.VALUES,)),
        Kind("get_base_report", _("Have it report everything"), SETTINGS, two("GetBaseReport"), (report,)),
        Kind("get_report", _("Have it report some of it"), SETTINGS, two("GetReport"), (criteria, s.ABOUT)),
        Kind(
            "set_network_profile",
            _("Set a network profile"),
            SETTINGS,
            two("SetNetworkProfile"),
            network,
            effect=_("With a wrong address the station does not find its way back by itself."),
        ),
        Kind(
            "set_credential",
            _("Give it a new credential"),
            TRUST,
            every("SetVariables", v16="ChangeConfiguration"),
            (Param("sealed", Type.TEXT, _("sealed credential"), required=True, minimum=1, maximum=2000, secret=True),),
            own=True,
        ),
    ]


def _monitoring() -> list[Kind]:
    monitoring = s.choice(
        "criteria", _("criteria"), "ThresholdMonitoring", "DeltaMonitoring", "PeriodicMonitoring", many=True
    )
    base = s.choice("base", _("which monitors"), "All", "FactoryDefault", "HardWiredOnly", required=True)
    ids = Param("ids", Type.INTEGERS, _("monitor numbers"), minimum=0, required=True)
    return [
        Kind("set_monitoring_base", _("Choose its monitors"), SETTINGS, two("SetMonitoringBase"), (base,)),
        Kind(
            "set_monitoring_level",
            _("Set the level of its reports"),
            SETTINGS,
            two("SetMonitoringLevel"),
            (s.whole("severity", _("severity, 0 the gravest"), 0, maximum=9, required=True),),
        ),
        Kind("set_variable_monitoring", _("Set monitors"), SETTINGS, two("SetVariableMonitoring"), (s.MONITORS,)),
        Kind(
            "get_monitoring_report",
            _("Have it report its monitors"),
            SETTINGS,
            two("GetMonitoringReport"),
            (monitoring, s.ABOUT),
        ),
        Kind("clear_variable_monitoring", _("Remove monitors"), SETTINGS, two("ClearVariableMonitoring"), (ids,)),
    ]


def _power() -> list[Kind]:
    unit = s.choice("unit", _("unit"), "A", "W")
    composite = (
        s.whole("evse_id", s.EVSE_OR_ALL.words, 0, maximum=100_000, required=True),
        s.whole("duration_s", _("duration, seconds"), 1, maximum=2_678_400, required=True),
        unit,
    )
    sources = s.choice("sources", _("set by"), "EMS", "Other", "SO", "CSO", many=True)
    ids = Param("profile_ids", Type.INTEGERS, _("profile numbers"), minimum=0)
    return [
        Kind(
            "set_profile",
            _("Set a charging profile"),
            POWER,
            every("SetChargingProfile"),
            (s.EVSE_OR_ALL, s.PROFILE, s.TRANSACTION),
        ),
        Kind(
            "clear_profile",
            _("Remove charging profiles"),
            POWER,
            every("ClearChargingProfile"),
            (s.whole("profile_id", _("profile number"), 0), s.EVSE_OR_ALL, s.PURPOSE, s.STACK_LEVEL),
            at_once=True,
        ),
        Kind(
            "get_composite_schedule",
            _("Read the schedule that holds"),
            POWER,
            every("GetCompositeSchedule"),
            composite,
        ),
        Kind(
            "get_profiles",
            _("Have it report its charging profiles"),
            POWER,
            two("GetChargingProfiles"),
            (s.EVSE_OR_ALL, s.PURPOSE, s.STACK_LEVEL, ids, sources),
        ),
    ]


def _cards() -> list[Kind]:
    mode = s.choice("mode", _("how"), "full", "differential", required=True)
    report = Param("report", Type.FLAG, _("have it reported"), required=True)
    clear = Param("clear", Type.FLAG, _("have it erased"), required=True)
    who = (
        Param("id_token", Type.OBJECT, s.ID_TOKEN.words, members=s.ID_TOKEN.members),
        s.text("customer_identifier", _("the customer's name at the station"), 64),
    )
    return [
        Kind("send_local_list", _("Send the list of cards"), CARDS, every("SendLocalList"), (mode,), at_once=True),
        Kind("get_local_list_version", _("Ask which list it has"), CARDS, every("GetLocalListVersion"), at_once=True),
        Kind("clear_cache", _("Have it forget cards that it saw"), CARDS, every("ClearCache"), at_once=True),
        Kind(
            "customer_information",
            _("Customer's data at the station"),
            CARDS,
            two("CustomerInformation"),
            (report, clear, *who),
            effect=_("What the station erases is gone."),
        ),
    ]


def _upkeep() -> list[Kind]:
    location = s.text("location", _("address of the file"), 512, required=True)
    firmware = (
        location,
        s.moment("retrieve_at", _("fetch it at"), required=True),
        s.moment("install_at", _("install it at")),
        s.text("signing_certificate", _("the maker's certificate (PEM)"), s.PEM_MAX, lines=True),
        s.text("signature", _("signature (Base64)"), 800),
        s.RETRIES,
        s.RETRY_INTERVAL,
    )
    log = (
        s.choice("type", _("which log"), *s.LOG_TYPES, required=True),
        s.text("location", _("address to which it is sent"), 512, required=True),
        s.moment("oldest", _("from")),
        s.moment("latest", _("to")),
        s.RETRIES,
        s.RETRY_INTERVAL,
    )
    checksum = s.text("checksum", _("MD5 of the file"), 32, required=True)
    return [
        Kind(
            "update_firmware",
            _("Update the firmware"),
            UPKEEP,
            every("UpdateFirmware"),
            firmware,
            effect=_("The station installs other firmware and starts anew."),
            at_once=True,
        ),
        Kind(
            "publish_firmware",
            _("Have it publish firmware"),
            UPKEEP,
            two("PublishFirmware"),
            (location, checksum, s.RETRIES, s.RETRY_INTERVAL),
        ),
        Kind("unpublish_firmware", _("Have it withdraw firmware"), UPKEEP, two("UnpublishFirmware"), (checksum,)),
        Kind("get_log", _("Have it send a log"), UPKEEP, every("GetLog", v16="GetDiagnostics"), log, at_once=True),
    ]


def _trust() -> list[Kind]:
    use = s.choice("type", _("use"), *s.CERTIFICATE_USES, required=True)
    chain = (
        s.text("chain_pem", _("certificate chain (PEM)"), 10_000, required=True, lines=True),
        s.choice("type", _("use"), "ChargingStationCertificate", Choice("V2GCertificate", V2)),
        s.whole("request_id", _("of which request"), versions=(V21,)),
    )
    uses = s.choice("types", _("uses"), *s.CERTIFICATE_USES, Choice("V2GCertificateChain", V2), many=True)
    pem = s.text("pem", _("certificate (PEM)"), s.PEM_MAX, required=True, lines=True)
    return [
        Kind("certificate_signed", _("Hand over its certificate"), TRUST, every("CertificateSigned"), chain, own=True),
        Kind("install_certificate", _("Install a root certificate"), TRUST, every("InstallCertificate"), (use, pem)),
        Kind("get_certificate_ids", _("Ask about certificates"), TRUST, every("GetInstalledCertificateIds"), (uses,)),
        Kind(
            "delete_certificate",
            _("Remove a certificate"),
            TRUST,
            every("DeleteCertificate"),
            (s.HASH,),
            effect=_("Without its root certificate the station may not find its way back."),
        ),
    ]


def _display() -> list[Kind]:
    number = s.whole("message_id", _("message number"), 1, required=True)
    shown = (
        number,
        s.choice("priority", _("priority"), *s.PRIORITIES, required=True),
        s.text("content", _("text"), 512, required=True, lines=True),
        s.choice("format", pgettext_lazy("text", "format"), *s.FORMATS),
        s.text("language", _("language (RFC 5646)"), 8),
        s.choice("state", _("while the station is"), *s.STATES),
        s.moment("starts_at", _("from")),
        s.moment("ends_at", _("to")),
        s.TRANSACTION,
    )
    which = (
        Param("ids", Type.INTEGERS, _("message numbers"), minimum=0),
        s.choice("priority", _("priority"), *s.PRIORITIES),
        s.choice("state", _("while the station is"), *s.STATES),
    )
    cost = Param("total_cost", Type.NUMBER, _("cost so far"), required=True, minimum=0, maximum=1_000_000)
    transfer = (
        s.text("vendor_id", _("vendor"), 255, required=True),
        s.text("message_id", _("which message"), 50),
        s.text("data", _("data"), 30_000, lines=True),
    )
    return [
        Kind("set_display_message", _("Show a message"), DISPLAY, two("SetDisplayMessage"), shown, at_once=True),
        Kind("get_display_messages", _("Have it report its messages"), DISPLAY, two("GetDisplayMessages"), which),
        Kind("clear_display_message", _("Remove a message"), DISPLAY, two("ClearDisplayMessage"), (number,)),
        Kind("cost_updated", _("Show the cost so far"), DISPLAY, two("CostUpdated"), (s.TRANSACTION_REQUIRED, cost)),
        Kind("data_transfer", _("Send vendor's data"), DISPLAY, every("DataTransfer"), transfer),
    ]


def _newest() -> list[Kind]:
    """What 2.1 alone has of it. Driver's tariffs are not sent: a charge keeps what was promised at its start."""
    ids = Param("tariff_ids", Type.TEXTS, _("codes of tariffs, none for all"), minimum=1, maximum=60)
    which = s.whole("evse_id", s.EVSE_OR_ALL.words, 0, maximum=100_000, required=True)
    activate = Param("activate", Type.FLAG, _("charge first"), required=True)
    priority = (s.TRANSACTION_REQUIRED, activate)
    return [
        Kind("set_default_tariff", _("Send the tariff"), DISPLAY, {V21: "SetDefaultTariff"}, (which,), at_once=True),
        Kind("get_tariffs", _("Ask which tariffs it has"), DISPLAY, {V21: "GetTariffs"}, (which,)),
        Kind("clear_tariffs", _("Remove tariffs"), DISPLAY, {V21: "ClearTariffs"}, (ids, s.EVSE_OR_ALL)),
        Kind("use_priority_charging", _("Let one charge first"), POWER, {V21: "UsePriorityCharging"}, priority),
    ]


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        *_charging(),
        *_service(),
        *_settings(),
        *_monitoring(),
        *_power(),
        *_cards(),
        *_upkeep(),
        *_trust(),
        *_display(),
        *_newest(),
    )
}
NAMES = tuple(KINDS)


def kinds_of(version: str) -> list[Kind]:
    """What people and programs may ask of a station of this version; "" where it never spoke: whatever any has."""
    return [kind for kind in KINDS.values() if not kind.own and (not version or version in kind.actions)]


# A credential is set where it is made, sealed and shown once: here it would stand in the command and in the log.
SECRETS = frozenset({"authorizationkey", "basicauthpassword"})


def params_checked(kind: Kind, params: Any, version: str = "") -> dict[str, Any]:
    """The parameters as a Command keeps them; raises ParamsWrong."""
    found = checked(kind.params, params, version)
    named = [("key", found.get("key"))] if kind.name == "change_configuration" else []
    if kind.name == "set_variables":
        named = [(f"variables.{number}.variable", one["variable"]) for number, one in enumerate(found["variables"])]
    if wrong := {path: gettext("is set on the station's page") for path, name in named if str(name).lower() in SECRETS}:
        raise ParamsWrong(wrong)
    return found
