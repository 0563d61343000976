"""A certificate authority whose key is in the TPM: what it signs satisfies OpenSSL, strictly; nobody else can sign."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from ledger.receipts import certification
from stations.certificates import authority, pki, requests, tasks, telling
from stations.certificates.authority import AuthorityStateError
from stations.certificates.connecting import certificate_refusal, certificate_used
from stations.certificates.errors import AuthorityUnavailableError
from stations.certificates.revoking import AlreadyRevokedError, certificate_revoke
from stations.models import CertificateRequest, Command, Station, StationAuthority, StationCertificate
from tests.stations.certificates.asking import csr_pem, key_make, openssl
from tpm.client import TpmClient

Issue = Callable[[Station], tuple[StationCertificate, Any]]
State = StationCertificate.State


def loaded(row: StationCertificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(row.certificate_pem.encode())


def verified(row: StationCertificate, root: StationAuthority, tmp_path: Path) -> str:
    """What `openssl verify` says, with the newest revocation list."""
    root.refresh_from_db()
    (tmp_path / "root.pem").write_text(root.certificate_pem)
    (tmp_path / "crl.der").write_bytes(bytes(root.crl_der or b""))
    (tmp_path / "leaf.pem").write_text(row.certificate_pem)
    openssl("crl", "-inform", "der", "-in", tmp_path / "crl.der", "-out", tmp_path / "crl.pem")
    done = openssl(
        *("verify", "-x509_strict", "-purpose", "sslclient", "-crl_check"),
        *("-CAfile", tmp_path / "root.pem", "-CRLfile", tmp_path / "crl.pem", tmp_path / "leaf.pem"),
    )
    return done.stdout + done.stderr


def test_the_root_is_of_a_key_that_cannot_leave_the_tpm(root: StationAuthority, tpm_client: TpmClient) -> None:
    """The certificate's key is the TPM's, and the AK says so as it does of the ledger's key."""
    certificate = authority.root_of(root)
    assert root.status == StationAuthority.Status.CURRENT and root.key_name == "stations-ca"
    key = tpm_client.key_get("stations-ca")
    assert key.public_key_pem.encode() in x509_public_pem(certificate)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints.ca and constraints.path_length == 0
    assert pki.issued_by(certificate, certificate)
    assert root.attestation is not None
    certification.verify(root.attestation, key.public_key_eosio)  # raises where one step fails


def x509_public_pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_station_gets_its_certificate(root: StationAuthority, station: Station, issue: Issue, tmp_path: Path) -> None:
    """OpenSSL takes it strictly, as a client's; so does cryptography's own verifier."""
    row, key = issue(station)
    certificate = loaded(row)
    assert verified(row, root, tmp_path).strip().endswith(": OK")
    store = verification.Store([authority.root_of(root)])
    verification.PolicyBuilder().store(store).build_client_verifier().verify(certificate, [])
    assert certificate.public_key() == key.public_key()
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [*usage] == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert (pki.common_name(certificate), row.common_name) == (station.identity, station.identity)
    assert pki.serial_number(row.serial_number) == certificate.serial_number
    assert not row.serial_number.startswith("0") and row.serial_number == row.serial_number.lower()
    assert 364 <= (certificate.not_valid_after_utc - timezone.now()).days <= 365
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name is not None
    assert points[0].full_name[0].value == f"https://portal.example/ocpp/ca-{root.pk}.crl"
    assert certificate_refusal(station, certificate) is None


def test_it_is_sent_and_its_answer_taken(root: StationAuthority, station: Station) -> None:
    """SignCertificate -> signed by a worker -> CertificateSigned -> the station's answer."""
    assert requests.certificate_requested(station, csr_pem(key_make(), station.identity), request_id=12)
    tasks.certificates_sweep()
    row = StationCertificate.objects.get()
    command = Command.objects.get()
    assert (row.state, command.kind, command.station) == (State.SENT, "certificate_signed", station)
    assert command.params == {
        "chain_pem": row.certificate_pem,
        "type": "ChargingStationCertificate",
        "request_id": 12,
    }
    tasks.certificates_sweep()
    assert StationCertificate.objects.get().state == State.SENT and Command.objects.count() == 1
    Command.objects.update(state=Command.State.ACCEPTED, sent_at=timezone.now(), answered_at=timezone.now())
    tasks.certificates_sweep()
    assert StationCertificate.objects.get().state == State.ACCEPTED


def test_a_station_that_rejects_it_is_seen(root: StationAuthority, station: Station, issue: Issue) -> None:
    row, _ = issue(station)
    telling.certificate_send(row)
    Command.objects.update(state=Command.State.REJECTED, sent_at=timezone.now(), words="Rejected: InvalidCertChain")
    assert telling.outcomes_take() == 1
    row.refresh_from_db()
    assert (row.state, row.answer) == (State.REJECTED, "Rejected: InvalidCertChain")
    assert "rejected" in (certificate_refusal(station, loaded(row)) or "")


def test_no_answer_is_no_rejection(root: StationAuthority, station: Station, issue: Issue) -> None:
    """It may have taken it, and the answer was lost: it may connect with it."""
    row, _ = issue(station)
    telling.certificate_send(row)
    Command.objects.update(state=Command.State.TIMED_OUT, sent_at=timezone.now())
    assert telling.outcomes_take() == 0 and certificate_refusal(station, loaded(row)) is None
    Command.objects.update(state=Command.State.ACCEPTED)  # late
    assert telling.outcomes_take() == 1 and StationCertificate.objects.get().state == State.ACCEPTED


def test_a_renewed_one_supersedes_when_it_is_used(
    root: StationAuthority, station: Station, issue: Issue, tmp_path: Path
) -> None:
    """Until the station connects with the new one both let it in; then the old one is on the revocation list."""
    old, _ = issue(station)
    certificate_used(old)
    new, _ = issue(station)
    assert certificate_refusal(station, loaded(old)) is None and certificate_refusal(station, loaded(new)) is None
    certificate_used(new)
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, old.reason, new.state) == (State.SUPERSEDED, "SUPERSEDED", State.ACCEPTED)
    assert "superseded" in (certificate_refusal(station, loaded(old)) or "")
    assert certificate_refusal(station, loaded(new)) is None
    tasks.certificates_revocation_lists()
    assert "certificate revoked" in verified(old, root, tmp_path)
    assert verified(new, root, tmp_path).strip().endswith(": OK")


def test_what_is_revoked_opens_nothing(root: StationAuthority, station: Station, issue: Issue, tmp_path: Path) -> None:
    """At once here, and by the list everywhere; the list grows by one number and says why."""
    row, _ = issue(station)
    certificate_revoke(certificate=row, reason="KEY_COMPROMISE", by=None)
    with pytest.raises(AlreadyRevokedError):
        certificate_revoke(certificate=row, reason="CESSATION", by=None)
    assert "revoked" in (certificate_refusal(station, loaded(row)) or "")
    assert verified(row, root, tmp_path).strip().endswith(": OK"), "the list of before"
    tasks.certificates_revocation_lists()
    assert "certificate revoked" in verified(row, root, tmp_path)
    crl = x509.load_der_x509_crl(bytes(root.crl_der or b""))
    line = crl.get_revoked_certificate_by_serial_number(loaded(row).serial_number)
    assert line is not None
    assert line.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.key_compromise
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == root.crl_number == 2
    assert authority.crls_due() == []


def test_another_stations_certificate_opens_nothing(station: Station, issue: Issue) -> None:
    other = Station.objects.create(site=station.site, identity="CP-HARBOUR-8")
    row, _ = issue(other)
    assert "issued here to this station" in (certificate_refusal(station, loaded(row)) or "")
    assert "got none" in (certificate_refusal(station, None) or "")


def test_the_next_authority_takes_over(root: StationAuthority, station: Station, issue: Issue) -> None:
    """Its root is made first and believed; then it signs; what the former one signed is good until that is ended."""
    old, _ = issue(station)
    following = authority.authority_create()
    assert (following.status, following.key_name) == (StationAuthority.Status.NEXT, "stations-ca-2")
    with pytest.raises(AuthorityStateError):
        authority.authority_create()
    assert authority.trusted() == [root, following]
    authority.authority_switch()
    new, _ = issue(station)
    assert (old.authority_id, new.authority_id) == (root.pk, following.pk)
    assert certificate_refusal(station, loaded(old)) is None and certificate_refusal(station, loaded(new)) is None
    with pytest.raises(AuthorityStateError):
        authority.authority_end(authority=following)
    authority.authority_end(authority=root)
    assert "not believed" in (certificate_refusal(station, loaded(old)) or "")
    assert certificate_refusal(station, loaded(new)) is None


def test_without_a_tpm_the_request_waits(
    root: StationAuthority, station: Station, settings: Settings, tpm: TpmStack
) -> None:
    """The station was answered; it gets its certificate when the TPM service is there again."""
    url = settings.TPM_SERVICE_URL
    assert requests.certificate_requested(station, csr_pem(key_make(), station.identity))
    settings.TPM_SERVICE_URL = "http://127.0.0.1:9"
    StationAuthority.objects.update(crl_due_at=timezone.now())
    tasks.certificates_sweep()
    assert authority.crls_due() == [] and StationAuthority.objects.get().crl_number == 1, "tried again in some minutes"
    assert CertificateRequest.objects.get().state == CertificateRequest.State.WAITING
    with pytest.raises(AuthorityUnavailableError):
        requests.request_sign(request_id=CertificateRequest.objects.get().pk)
    settings.TPM_SERVICE_URL = url
    tasks.certificates_sweep()
    assert StationCertificate.objects.get().state == State.SENT
