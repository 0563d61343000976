"""PURE: what can be set at a station, the keys of OCPP 1.6 and the variables of 2.x, and what of them it heeds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dev.stations.device.told import Told

ENERGY = "Energy.Active.Import.Register"
SAMPLED = f"{ENERGY},Power.Active.Import,Current.Import,Voltage"
READ_ONLY, READ_WRITE, WRITE_ONLY = "ReadOnly", "ReadWrite", "WriteOnly"


@dataclass(frozen=True)
class Setting:
    """`name` is the key of 1.6, or Component.Variable of 2.x with "#instance" behind either and "@evse" at the end."""

    name: str
    value: str
    mutability: str = READ_WRITE
    type: str = "string"
    reboot: bool = False

    def allows(self, value: str) -> bool:
        """Whether this can be its value."""
        if self.type == "integer":
            return value.isdecimal()
        return value.lower() in ("true", "false") if self.type == "boolean" else True


# What the station heeds, by our name: its name in 1.6, and in 2.x.
NAMES = {
    "heartbeat_s": ("HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval"),
    "ping_s": ("WebSocketPingInterval", "OCPPCommCtrlr.WebSocketPingInterval"),
    "credential": ("AuthorizationKey", "SecurityCtrlr.BasicAuthPassword"),
    "organization": ("CpoName", "SecurityCtrlr.OrganizationName"),
    "sample_s": ("MeterValueSampleInterval", "SampledDataCtrlr.TxUpdatedInterval"),
    "sampled": ("MeterValuesSampledData", "SampledDataCtrlr.TxUpdatedMeasurands"),
    "sampled_at_start": ("StopTxnSampledData", "SampledDataCtrlr.TxStartedMeasurands"),
    "sampled_at_end": ("StopTxnSampledData", "SampledDataCtrlr.TxEndedMeasurands"),
    "attempts": ("TransactionMessageAttempts", "OCPPCommCtrlr.MessageAttempts#TransactionEvent"),
    "attempt_s": ("TransactionMessageRetryInterval", "OCPPCommCtrlr.MessageAttemptInterval#TransactionEvent"),
    "offline": ("LocalAuthorizeOffline", "AuthCtrlr.LocalAuthorizeOffline"),
    "offline_unknown": ("AllowOfflineTxForUnknownId", "AuthCtrlr.OfflineTxForUnknownIdEnabled"),
    "pre_authorize": ("LocalPreAuthorize", "AuthCtrlr.LocalPreAuthorize"),
    "authorize_remote": ("AuthorizeRemoteTxRequests", "AuthCtrlr.AuthorizeRemoteStart"),
    "cache": ("AuthorizationCacheEnabled", "AuthCacheCtrlr.Enabled"),
    "local_list": ("LocalAuthListEnabled", "LocalAuthListCtrlr.Enabled"),
    "connect_s": ("ConnectionTimeOut", "TxCtrlr.EVConnectionTimeOut"),
    "stop_invalid": ("StopTransactionOnInvalidId", "TxCtrlr.StopTxOnInvalidId"),
    "start_points": ("", "TxCtrlr.TxStartPoint"),
    "stop_points": ("", "TxCtrlr.TxStopPoint"),
}
DEFAULTS = {"start_points": "PowerPathClosed", "stop_points": "EVConnected,Authorized"}
SECRET = ("AuthorizationKey", "SecurityCtrlr.BasicAuthPassword")


def settings_of(told: Told) -> dict[str, Setting]:
    """Everything that this station has, with the values that it comes with."""
    every = _keys(told) if told.version == "1.6" else _variables(told)
    return {one.name: one for one in every}


class Settings:
    """The settings as they stand: what was set is in `kept`, which the station's state keeps."""

    def __init__(self, told: Told, kept: dict[str, str]) -> None:
        self.known = settings_of(told)
        self.kept = kept
        self._place = 0 if told.version == "1.6" else 1
        for name, value in told.settings.items():
            kept.setdefault(name, value)

    def name(self, ours: str) -> str:
        """What this version calls one of NAMES."""
        return NAMES[ours][self._place]

    def __getitem__(self, name: str) -> str:
        return self.kept.get(name, self.known[name].value)

    def text(self, ours: str) -> str:
        """The value of one of NAMES."""
        name = self.name(ours)
        return self[name] if name in self.known else DEFAULTS[ours]

    def number(self, ours: str) -> int:
        """The same as a number."""
        return int(self.text(ours))

    def on(self, ours: str) -> bool:
        """The same as a switch."""
        return self.text(ours).lower() == "true"

    def words(self, ours: str) -> list[str]:
        """The same as a list."""
        return [word.strip() for word in self.text(ours).split(",") if word.strip()]


def component_variable(name: str, instance_of: str = "variable") -> dict[str, Any]:
    """The name of a variable as OCPP 2.x writes it: `Component.Variable#instance@evse`."""
    path, _, evse = name.partition("@")
    path, _, instance = path.partition("#")
    component, _, variable = path.partition(".")
    written: dict[str, Any] = {"component": {"name": component}, "variable": {"name": variable}}
    if instance:
        written[instance_of]["instance"] = instance
    if evse:
        written["component"]["evse"] = {"id": int(evse)}
        if component == "Connector":
            written["component"]["evse"]["connectorId"] = 1
    return written


def variable_name(said: Mapping[str, Any]) -> str:
    """The reverse, of a `component` and a `variable` that a CSMS named; the case of letters says nothing (OCPP)."""
    component, variable = said["component"], said.get("variable") or {"name": ""}
    instance = f"#{variable['instance']}" if "instance" in variable else ""
    evse = f"@{component['evse']['id']}" if "evse" in component else ""
    return f"{component['name']}.{variable['name']}{instance}{evse}"


def _keys(told: Told) -> Iterator[Setting]:
    profiles = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger,Security"
    for name, value in {
        "SupportedFeatureProfiles": profiles,
        "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    }.items():
        yield Setting(name, value, READ_ONLY)
    fixed = {"NumberOfConnectors": told.outlets, "GetConfigurationMaxKeys": 100, "LocalAuthListMaxLength": 10_000}
    fixed |= {"SendLocalListMaxLength": 1_000, "ChargeProfileMaxStackLevel": 10, "ChargingScheduleMaxPeriods": 24}
    fixed |= {
        "MaxChargingProfilesInstalled": 20,
        "CertificateStoreMaxLength": 20,
        "MeterValuesSampledDataMaxLength": 10,
    }
    for name, number in fixed.items():
        yield Setting(name, str(number), READ_ONLY, "integer")
    numbers = {
        "HeartbeatInterval": 300,
        "WebSocketPingInterval": 30,
        "MeterValueSampleInterval": 10,
        "ConnectionTimeOut": 60,
    }
    numbers |= {"TransactionMessageAttempts": 3, "TransactionMessageRetryInterval": 5, "ClockAlignedDataInterval": 0}
    numbers |= {"ResetRetries": 1, "SecurityProfile": 1}
    for name, number in numbers.items():
        yield Setting(name, str(number), READ_WRITE, "integer", reboot=name == "SecurityProfile")
    on = ["AuthorizationCacheEnabled", "LocalAuthorizeOffline", "LocalAuthListEnabled", "StopTransactionOnInvalidId"]
    on += ["StopTransactionOnEVSideDisconnect", "UnlockConnectorOnEVSideDisconnect", "ReserveConnectorZeroSupported"]
    off = [
        "AllowOfflineTxForUnknownId",
        "AuthorizeRemoteTxRequests",
        "LocalPreAuthorize",
        "AdditionalRootCertificateCheck",
    ]
    for name in (*on, *off):
        yield Setting(name, "true" if name in on else "false", READ_WRITE, "boolean")
    yield Setting("MeterValuesSampledData", SAMPLED if told.current == "AC" else f"{SAMPLED},SoC")
    yield Setting("StopTxnSampledData", ENERGY)
    yield Setting("MeterValuesAlignedData", ENERGY)
    yield Setting("StopTxnAlignedData", "")
    yield Setting("ConnectorPhaseRotation", ",".join(f"{number}.RST" for number in range(told.outlets + 1)))
    yield Setting("CpoName", told.vendor)
    yield Setting("AuthorizationKey", "", WRITE_ONLY)


def _variables(told: Told) -> Iterator[Setting]:
    fixed = {"Model": told.model, "VendorName": told.vendor, "SerialNumber": told.serial}
    yield from (Setting(f"ChargingStation.{name}", value, READ_ONLY) for name, value in fixed.items())
    yield Setting("ChargingStation.AvailabilityState", "Available", READ_ONLY, "OptionList")
    for number in range(1, told.outlets + 1):
        yield Setting(f"EVSE.AvailabilityState@{number}", "Available", READ_ONLY, "OptionList")
        yield Setting(f"EVSE.Power@{number}", str(told.power_w), READ_ONLY, "decimal")
        yield Setting(f"EVSE.SupplyPhases@{number}", str(told.phases), READ_ONLY, "integer")
        kind = "sType2" if told.current == "AC" else "cCCS2"
        yield Setting(f"Connector.ConnectorType@{number}", kind, READ_ONLY)
    sampled = SAMPLED if told.current == "AC" else f"{SAMPLED},SoC"
    texts = {"SampledDataCtrlr.TxUpdatedMeasurands": sampled, "SampledDataCtrlr.TxStartedMeasurands": ENERGY}
    texts |= {"SampledDataCtrlr.TxEndedMeasurands": ENERGY, "AlignedDataCtrlr.Measurands": ENERGY}
    texts |= {"TxCtrlr.TxStartPoint": DEFAULTS["start_points"], "TxCtrlr.TxStopPoint": DEFAULTS["stop_points"]}
    texts |= {"OCPPCommCtrlr.NetworkConfigurationPriority": "1", "SecurityCtrlr.OrganizationName": told.vendor}
    texts |= {"ClockCtrlr.TimeSource": "Heartbeat", "ClockCtrlr.TimeZone": "UTC"}
    yield from (Setting(name, value) for name, value in texts.items())
    numbers = {"OCPPCommCtrlr.HeartbeatInterval": 300, "OCPPCommCtrlr.WebSocketPingInterval": 30}
    numbers |= {"OCPPCommCtrlr.MessageAttempts#TransactionEvent": 3, "OCPPCommCtrlr.OfflineThreshold": 60}
    numbers |= {"OCPPCommCtrlr.MessageAttemptInterval#TransactionEvent": 5, "TxCtrlr.EVConnectionTimeOut": 60}
    numbers |= {"OCPPCommCtrlr.MessageTimeout#Default": 30, "SampledDataCtrlr.TxUpdatedInterval": 10}
    numbers |= {"OCPPCommCtrlr.RetryBackOffWaitMinimum": 1, "OCPPCommCtrlr.RetryBackOffRandomRange": 2}
    numbers |= {"OCPPCommCtrlr.RetryBackOffRepeatTimes": 5, "AlignedDataCtrlr.Interval": 0}
    numbers |= {"SampledDataCtrlr.TxEndedInterval": 0}
    yield from (Setting(name, str(number), READ_WRITE, "integer") for name, number in numbers.items())
    most = {"DeviceDataCtrlr.ItemsPerMessage#GetReport": 20, "DeviceDataCtrlr.ItemsPerMessage#GetVariables": 50}
    most |= {"DeviceDataCtrlr.ItemsPerMessage#SetVariables": 50, "LocalAuthListCtrlr.ItemsPerMessage": 1_000}
    most |= {"SmartChargingCtrlr.ProfileStackLevel": 10, "SmartChargingCtrlr.PeriodsPerSchedule#ChargingSchedules": 24}
    most |= {"SecurityCtrlr.SecurityProfile": 1}
    yield from (Setting(name, str(number), READ_ONLY, "integer") for name, number in most.items())
    on = [
        "AuthCtrlr.Enabled",
        "AuthCtrlr.LocalAuthorizeOffline",
        "AuthCacheCtrlr.Enabled",
        "LocalAuthListCtrlr.Enabled",
    ]
    on += ["TxCtrlr.StopTxOnInvalidId", "TxCtrlr.StopTxOnEVSideDisconnect", "SmartChargingCtrlr.Enabled"]
    on += ["ReservationCtrlr.Enabled", "OCPPCommCtrlr.UnlockOnEVSideDisconnect", "TariffCostCtrlr.Enabled#Cost"]
    off = ["AuthCtrlr.OfflineTxForUnknownIdEnabled", "AuthCtrlr.LocalPreAuthorize", "AuthCtrlr.AuthorizeRemoteStart"]
    for name in (*on, *off):
        yield Setting(name, "true" if name in on else "false", READ_WRITE, "boolean")
    yield Setting("SmartChargingCtrlr.RateUnit", "A,W", READ_ONLY, "MemberList")
    yield Setting("SecurityCtrlr.Identity", told.identity, READ_ONLY)
    yield Setting("SecurityCtrlr.BasicAuthPassword", "", WRITE_ONLY)
