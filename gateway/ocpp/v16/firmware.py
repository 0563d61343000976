"""OCPP 1.6 and its security whitepaper: how an update of the firmware or an upload of diagnostics and logs goes."""

from collections.abc import Sequence

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from stations.models import StationEvent

Kind, Severity = StationEvent.Kind, StationEvent.Severity
UPDATES, UPLOADS = ("update_firmware",), ("get_log",)
FAILED = {"DownloadFailed", "InstallationFailed", "UploadFailed", "UploadFailure", "InstallVerificationFailed"}
FAILED |= {"BadMessage", "NotSupportedOperation", "PermissionDenied"}
GRAVE = {"InvalidSignature"}  # somebody handed it firmware that is not the maker's


def firmware_status_notification(call: Call) -> Answer:
    """Signed or not: without a number it is about the newest update that was asked for."""
    return _progress(call, Kind.FIRMWARE, UPDATES, "firmware")


def log_status_notification(call: Call) -> Answer:
    """GetLog of the whitepaper, and GetDiagnostics without a number."""
    return _progress(call, Kind.LOG, UPLOADS, "log")


def _progress(call: Call, kind: StationEvent.Kind, kinds: Sequence[str], what: str) -> Answer:
    """Idle says that nothing goes on, and is said when the station is asked: no event."""
    status, number = call.payload["status"], call.payload.get("requestId")
    if status == "Idle":
        return Answer({})
    calls.command_progress(station=call.station, kinds=kinds, request_id=number, progress=status, at=call.at)
    severity = Severity.WARNING if status in FAILED else Severity.CRITICAL if status in GRAVE else Severity.INFO
    data = {"status": status, "message_id": call.message_id}
    data |= {"request_id": number} if number is not None else {}
    calls.event_note(
        station=call.station, kind=kind, words=f"{what}: {status}", at=call.at, severity=severity, data=data
    )
    return Answer({})
