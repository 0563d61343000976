"""How an update of the firmware, its publishing in a local network, or an upload of logs goes."""

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v2.noting import Kind, Severity, noted
from stations.models import StationEvent

GRAVE = frozenset({"InvalidSignature", "InstallVerificationFailed", "InvalidChecksum"})
FAILED = frozenset({"DownloadFailed", "InstallationFailed", "PublishFailed"})
LOGS_FAILED = frozenset({"BadMessage", "NotSupportedOperation", "PermissionDenied", "UploadFailure"})


def firmware_status_notification(call: Call) -> Answer:
    """Idle says only that nothing goes on."""
    return _progress(call, Kind.FIRMWARE, ("update_firmware",), "firmware")


def publish_firmware_status_notification(call: Call) -> Answer:
    """Of a local controller that hands firmware on."""
    return _progress(call, Kind.FIRMWARE, ("publish_firmware",), "firmware for others")


def log_status_notification(call: Call) -> Answer:
    """How an upload of logs goes."""
    return _progress(call, Kind.LOG, ("get_log",), "log")


def _progress(call: Call, kind: StationEvent.Kind, commands: tuple[str, ...], what: str) -> Answer:
    status = call.payload["status"]
    if (number := call.payload.get("requestId")) is not None:
        calls.command_progress(station=call.station, kinds=commands, request_id=number, progress=status, at=call.at)
    if status == "Idle":
        return Answer()
    severity = Severity.CRITICAL if status in GRAVE else Severity.INFO
    severity = Severity.WARNING if status in FAILED | LOGS_FAILED else severity
    return noted(call, kind, f"{what}: {status}", severity=severity)
