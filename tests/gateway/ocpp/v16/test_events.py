"""What 1.6 stations tell besides charges: updates, uploads, security events, requests for certificates."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.ocpp.handling import V16
from gateway.ocpp.schemas import knows
from gateway.ocpp.v16.handlers import HANDLERS
from stations.models import CertificateRequest, Command, StationEvent
from tests.gateway.ocpp.v16.station16 import NOW, Station16

pytestmark = pytest.mark.django_db
# OCPP 1.6, 4, and the security whitepaper: all that a station may call
INCOMING = {
    *("Authorize", "BootNotification", "DataTransfer", "DiagnosticsStatusNotification", "FirmwareStatusNotification"),
    *("Heartbeat", "MeterValues", "StartTransaction", "StatusNotification", "StopTransaction"),
    *("LogStatusNotification", "SecurityEventNotification", "SignCertificate", "SignedFirmwareStatusNotification"),
}


def test_all_that_a_station_may_call_is_handled() -> None:
    assert set(HANDLERS) == INCOMING and all(knows(V16, action) for action in INCOMING)


def asked(cp: Station16, kind: str) -> Command:
    until = NOW + timedelta(minutes=2)
    return Command.objects.create(
        station=cp.station, kind=kind, state=Command.State.ACCEPTED, sent_at=NOW, valid_until=until
    )


@pytest.mark.parametrize(
    ("kind", "action", "numbered", "statuses"),
    [
        ("update_firmware", "FirmwareStatusNotification", False, ["Downloading", "Downloaded", "Installed"]),
        ("update_firmware", "SignedFirmwareStatusNotification", True, ["SignatureVerified", "InvalidSignature"]),
        ("get_log", "DiagnosticsStatusNotification", False, ["Uploading", "UploadFailed"]),
        ("get_log", "LogStatusNotification", True, ["Uploading", "Uploaded"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_update_or_upload_goes_on(
    cp: Station16, kind: str, action: str, numbered: bool, statuses: list[str]
) -> None:
    other, command = asked(cp, kind), asked(cp, kind)
    number: dict[str, Any] = {"requestId": other.pk} if numbered else {}
    for status in [*statuses, "Idle"]:
        cp.wait(1)
        assert cp.call(action, status=status, message_id=status, **number) == {}
        assert cp.call(action, status=status, message_id=status, **number) == {}
    about, untouched = (other, command) if numbered else (command, other)
    for row in (about, untouched):
        row.refresh_from_db()
    assert (about.progress, about.progress_at) == (statuses[-1], NOW + timedelta(minutes=len(statuses)))
    assert untouched.progress == ""
    events = list(StationEvent.objects.order_by("at"))
    assert [event.words.split(": ")[1] for event in events] == statuses
    grave = {"InvalidSignature": "CRITICAL", "UploadFailed": "WARNING"}
    assert [event.severity for event in events] == [grave.get(status, "INFO") for status in statuses]


def test_an_update_that_nobody_asked_for_here(cp: Station16) -> None:
    assert cp.call("FirmwareStatusNotification", status="Installed") == {}
    assert cp.call("LogStatusNotification", status="Uploaded", requestId=99) == {}
    assert StationEvent.objects.count() == 2


def test_security_events_are_kept_once_and_by_their_weight(cp: Station16) -> None:
    for name in ("StartupOfTheDevice", "TamperDetectionActivated", "TamperDetectionActivated", "SomethingElse"):
        cp.call("SecurityEventNotification", type=name, timestamp=cp.time, techInfo="lid\0 open")
    found = [(event.words, event.severity, event.at) for event in StationEvent.objects.order_by("pk")]
    assert found == [
        ("StartupOfTheDevice: lid  open", "INFO", NOW),
        ("TamperDetectionActivated: lid  open", "CRITICAL", NOW),
        ("SomethingElse: lid  open", "WARNING", NOW),
    ]


def test_a_security_event_with_a_wrong_clock_is_of_now(cp: Station16) -> None:
    cp.call("SecurityEventNotification", type="SettingSystemTime", timestamp="1970-01-01T00:07:00Z")
    event = StationEvent.objects.get()
    assert event.at == NOW and event.data["timestamp"] == "1970-01-01T00:07:00Z"


def csr(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "EVPortal"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def test_a_request_for_a_certificate_is_judged(cp: Station16) -> None:
    assert cp.call("SignCertificate", csr="no request at all") == {"status": "Rejected"}
    assert cp.call("SignCertificate", csr=csr("SOMEBODY-ELSE")) == {"status": "Rejected"}
    assert not CertificateRequest.objects.filter(state="WAITING").exists()
