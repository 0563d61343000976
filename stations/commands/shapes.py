"""PURE: the parameters that several commands have: a card, an outlet, a charging profile, variables of a station."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from stations.commands.params import ALL, V2, V16, V21, Choice, Param, Type

TOKEN_TYPES = ("ISO14443", "ISO15693", "eMAID", "Central", "KeyCode", "Local", "MacAddress")
PEM_MAX = 5500


def text(name: str, words: Any, most: int, **more: Any) -> Param:
    """A text of at most so many characters; one that is required is not empty."""
    return Param(name, Type.TEXT, words, minimum=1 if more.get("required") else 0, maximum=most, **more)


def whole(name: str, words: Any, least: int = 0, **more: Any) -> Param:
    """A whole number."""
    return Param(name, Type.INTEGER, words, minimum=least, **more)


def moment(name: str, words: Any, **more: Any) -> Param:
    """A point of time."""
    return Param(name, Type.MOMENT, words, **more)


def choice(name: str, words: Any, *values: str | Choice, many: bool = False, **more: Any) -> Param:
    """One of these words, or `many` of them."""
    listed = tuple(value if isinstance(value, Choice) else Choice(value) for value in values)
    return Param(name, Type.CHOICES if many else Type.CHOICE, words, choices=listed, **more)


def group(name: str, words: Any, *members: Param, many: bool = False, **more: Any) -> Param:
    """Parameters that belong together, or a list of such."""
    return Param(name, Type.OBJECTS if many else Type.OBJECT, words, members=members, **more)


EVSE = whole("evse_id", _("EVSE number"), 1, maximum=100_000)
CONNECTOR = whole("connector_id", _("connector number"), 1, maximum=100_000)
EVSE_REQUIRED = whole("evse_id", _("EVSE number"), 1, maximum=100_000, required=True)
EVSE_OR_ALL = whole("evse_id", _("EVSE number, 0 for the whole station"), 0, maximum=100_000)
TRANSACTION = text("transaction_id", _("transaction ID"), 40)
TRANSACTION_REQUIRED = text("transaction_id", _("transaction ID"), 40, required=True)
RETRIES = whole("retries", _("how many more tries"), 0, maximum=100)
RETRY_INTERVAL = whole("retry_interval_s", _("seconds between tries"), 0, maximum=604_800)

ID_TOKEN = group(
    "id_token",
    _("card or contract"),
    text("uid", _("number"), 36, required=True),
    choice("type", _("type"), *TOKEN_TYPES),
    required=True,
)
GROUP = text("group", _("group"), 36)

UNIT = choice("unit", _("unit"), "A", "W", required=True)
PURPOSE = choice(
    "purpose",
    _("purpose"),
    *("TxDefaultProfile", "TxProfile"),
    Choice("ChargePointMaxProfile", (V16,)),
    Choice("ChargingStationMaxProfile", ALL),
    Choice("ChargingStationExternalConstraints", V2),
    Choice("PriorityCharging", (V21,)),
    Choice("LocalGeneration", (V21,)),
)
STACK_LEVEL = whole("stack_level", _("stack level"), 0, maximum=1000)
PERIODS = group(
    "periods",
    _("periods"),
    whole("start_s", _("from, seconds after the start"), 0, required=True),
    Param("limit", Type.NUMBER, _("limit"), required=True, minimum=0, maximum=10_000_000),
    whole("phases", _("phases"), 1, maximum=3),
    many=True,
    required=True,
)
PROFILE = group(
    "profile",
    _("charging profile"),
    whole("id", _("profile number"), 1, required=True),
    whole("stack_level", _("stack level"), 0, maximum=1000, required=True),
    choice("purpose", _("purpose"), *PURPOSE.choices, required=True),
    choice("kind", _("kind of schedule"), "Absolute", "Recurring", "Relative", required=True),
    choice("recurrency", _("recurs"), "Daily", "Weekly"),
    moment("valid_from", _("valid from")),
    moment("valid_to", _("valid to")),
    UNIT,
    PERIODS,
    whole("duration_s", _("duration, seconds"), 1),
    moment("start_at", _("start of the schedule")),
    Param("min_rate", Type.NUMBER, _("least rate"), minimum=0, maximum=10_000_000),
    required=True,
)

COMPONENT = (
    text("component", _("component"), 50, required=True),
    text("variable", _("variable"), 50, required=True),
)
PLACE = (
    text("component_instance", _("component instance"), 50),
    text("instance", _("instance"), 50),
    whole("evse_id", _("EVSE number"), 0, maximum=100_000),
    whole("connector_id", _("connector number"), 0, maximum=100_000),
)
ATTRIBUTE = choice("attribute", _("attribute"), "Actual", "Target", "MinSet", "MaxSet")
VARIABLES = group("variables", _("variables"), *COMPONENT, *PLACE, ATTRIBUTE, many=True, required=True)
VALUES = group(
    "variables",
    _("variables"),
    *COMPONENT,
    text("value", _("value"), 1000, required=True),
    *PLACE,
    ATTRIBUTE,
    many=True,
    required=True,
)
ABOUT = group(
    "variables",
    _("variables"),
    text("component", _("component"), 50, required=True),
    text("variable", _("variable"), 50),
    *PLACE,
    many=True,
)
MONITORS = group(
    "monitors",
    _("monitors"),
    *COMPONENT,
    choice(
        "type",
        _("type"),
        "UpperThreshold",
        "LowerThreshold",
        "Delta",
        "Periodic",
        "PeriodicClockAligned",
        required=True,
    ),
    Param("value", Type.NUMBER, _("value"), required=True, minimum=-1e12, maximum=1e12),
    whole("severity", _("severity, 0 the gravest"), 0, maximum=9, required=True),
    *PLACE,
    whole("id", _("monitor number"), 1),
    Param("transaction", Type.FLAG, _("only while charging")),
    many=True,
    required=True,
)

# 1.6's security whitepaper has two names of its own for these: the composer says them.
CERTIFICATE_USES = (
    Choice("CSMSRootCertificate"),
    Choice("CentralSystemRootCertificate", (V16,)),
    Choice("ManufacturerRootCertificate"),
    Choice("V2GRootCertificate", V2),
    Choice("MORootCertificate", V2),
    Choice("OEMRootCertificate", (V21,)),
)
HASH = group(
    "hash_data",
    _("which certificate"),
    choice("hash_algorithm", _("hash algorithm"), "SHA256", "SHA384", "SHA512", required=True),
    text("issuer_name_hash", _("hash of the issuer's name"), 128, required=True),
    text("issuer_key_hash", _("hash of the issuer's key"), 128, required=True),
    text("serial_number", _("serial number, hexadecimal"), 40, required=True),
    required=True,
)
MESSAGES: tuple[str | Choice, ...] = (
    *("BootNotification", "Heartbeat", "MeterValues", "StatusNotification", "FirmwareStatusNotification"),
    Choice("DiagnosticsStatusNotification", (V16,)),
    Choice("LogStatusNotification"),
    Choice("SignChargingStationCertificate"),
    Choice("SignChargePointCertificate", (V16,)),
    *(Choice(name, V2) for name in ("TransactionEvent", "SignV2GCertificate", "SignCombinedCertificate")),
    Choice("PublishFirmwareStatusNotification", V2),
)
PRIORITIES = ("AlwaysFront", "InFront", "NormalCycle")
STATES = ("Charging", "Faulted", "Idle", "Unavailable")
FORMATS: tuple[str | Choice, ...] = ("UTF8", "ASCII", "HTML", "URI", Choice("QRCODE", (V21,)))
INTERFACES: tuple[str | Choice, ...] = (
    *(f"Wired{number}" for number in range(4)),
    *(f"Wireless{number}" for number in range(4)),
    Choice("Any", (V21,)),
)
OCPP_VERSIONS: tuple[str | Choice, ...] = ("OCPP16", "OCPP20", Choice("OCPP201", (V21,)), Choice("OCPP21", (V21,)))
SECURITY_PROFILE = whole("security_profile", _("security profile"), 0, maximum=3, required=True)
LOG_TYPES = (Choice("diagnostics"), Choice("security"), Choice("data_collector", (V21,)))
RESETS = ("soft", "hard", "immediate", "on_idle")
