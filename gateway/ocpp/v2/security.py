"""Security events, and certificates that a station asks for or asks about.

A handler asks no other server. What would need one (OCSP, CRLs, a contract's provider) is answered Failed: the station
then decides as it is set to.
"""

from datetime import timedelta

from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.times import time_text
from gateway.ocpp.v2.noting import Kind, Severity, noted, status_info
from stations.certificates.requests import certificate_requested

# OCPP 2.x, appendix "Security events": those that the standard calls critical.
CRITICAL = frozenset(
    {
        "FirmwareUpdated",
        "SettingSystemTime",
        "StartupOfTheDevice",
        "ResetOrReboot",
        "SecurityLogWasCleared",
        "MemoryExhaustion",
        "TamperDetectionActivated",
        "InvalidFirmwareSignature",
        "InvalidFirmwareSigningCertificate",
        "InvalidCsmsCertificate",
        "InvalidChargingStationCertificate",
        "InvalidTLSVersion",
        "InvalidTLSCipherSuite",
        "MaintenanceLoginAccepted",
        "MaintenanceLoginFailed",
    }
)
# Critical by the standard, and happens every day
ORDINARY = frozenset({"FirmwareUpdated", "SettingSystemTime", "StartupOfTheDevice", "ResetOrReboot"})
# Until when a status of a certificate that nobody could ask for need not be asked again.
ASK_AGAIN = timedelta(days=1)


def security_event_notification(call: Call) -> Answer:
    """Kept, and shown among what needs a person where it is critical."""
    said = call.payload
    severity = Severity.INFO if said["type"] in ORDINARY else Severity.WARNING
    severity = Severity.CRITICAL if said["type"] in CRITICAL - ORDINARY else severity
    words = f"{said['type']}: {said['techInfo']}" if said.get("techInfo") else said["type"]
    return noted(call, Kind.SECURITY, words, severity=severity, said_at=said["timestamp"])


def sign_certificate(call: Call) -> Answer:
    """The request is judged now and signed by a worker, who sends CertificateSigned."""
    said = call.payload
    kind, number = said.get("certificateType", ""), said.get("requestId")
    if certificate_requested(call.station, said["csr"], kind, request_id=number):
        return Answer({"status": "Accepted"})
    return Answer({"status": "Rejected", "statusInfo": status_info("Refused", "The operator sees why.")})


def get_15118_ev_certificate(call: Call) -> Answer:
    """Contracts are issued by the driver's provider: we have no way to one."""
    info = status_info("NoProvider", "There is no provider of contract certificates here.")
    return Answer({"status": "Failed", "exiResponse": "", "statusInfo": info})


def get_certificate_status(call: Call) -> Answer:
    """It would have to be asked of an OCSP responder."""
    return Answer({"status": "Failed", "statusInfo": status_info("NotAsked", "No OCSP responder is asked from here.")})


def get_certificate_chain_status(call: Call) -> Answer:
    """The same of several certificates, 2.1."""
    until = time_text(call.at + ASK_AGAIN)
    status = [
        {
            "certificateHashData": one["certificateHashData"],
            "source": one["source"],
            "status": "Failed",
            "nextUpdate": until,
        }
        for one in call.payload["certificateStatusRequests"]
    ]
    return Answer({"certificateStatus": status})
