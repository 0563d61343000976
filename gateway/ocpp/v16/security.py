"""OCPP 1.6, security whitepaper: SecurityEventNotification, SignCertificate."""

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from stations.models import StationEvent

Severity = StationEvent.Severity
# The whitepaper's names, by what an operator should do: nothing, or look at once; the others are worth a look.
ORDINARY = frozenset({"FirmwareUpdated", "SettingSystemTime", "StartupOfTheDevice", "ResetOrReboot"})
GRAVE = frozenset(
    {
        "AttemptedReplayAttacks",
        "InvalidCentralSystemCertificate",
        "InvalidFirmwareSignature",
        "InvalidFirmwareSigningCertificate",
        "SecurityLogWasCleared",
        "TamperDetectionActivated",
    }
)


def security_event_notification(call: Call) -> Answer:
    """Kept; what is not ordinary is shown among what needs a person."""
    name, info = call.payload["type"], call.payload.get("techInfo") or ""
    severity = Severity.INFO if name in ORDINARY else Severity.CRITICAL if name in GRAVE else Severity.WARNING
    calls.event_note(
        station=call.station,
        kind=StationEvent.Kind.SECURITY,
        words=f"{name}: {info}" if info else name,
        at=calls.clock(call.station, call.payload["timestamp"], call.at).at,
        severity=severity,
        data={"type": name, "info": info, "timestamp": call.payload["timestamp"]},
    )
    return Answer({})


def sign_certificate(call: Call) -> Answer:
    """The request is judged now, and signed by a worker, who sends CertificateSigned."""
    taken = calls.certificate_requested(call.station, call.payload["csr"], "")
    return Answer({"status": "Accepted" if taken else "Rejected"})
