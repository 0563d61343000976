"""Enrolment of a TPM service: identity -> EK chain -> credential activation -> AK pinned -> first attestation."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Q
from django.utils import timezone

from tpm.client import TpmRefused
from tpm.models import AttestationReport, TpmService
from tpm.register.register import RegisterError, client_of, evidence_ask, evidence_judge, nonce_issue
from tpm.register.reports import report_keep
from tpm.verifier.credential import make_credential
from tpm.verifier.endorsement import Identity, fingerprint, identity_checks, trusted_certificates
from tpm.verifier.errors import AttestationError, MalformedError
from tpm.verifier.events import release_key
from tpm.verifier.steps import Check, Finding, Step, accepted, shown, take
from tpm.verifier.structures import parse_public

CREDENTIAL_BYTES = 32
ACTIVATED = "the credential that was encrypted for both"


class EnrolmentError(RegisterError):
    """The service was not enrolled."""

    def __init__(self, message: str, report: AttestationReport | None = None) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class Pins:
    """What an operator knows of a TPM service from elsewhere. `release_key_pem` is "" for one that is not measured."""

    ek_roots_pem: str
    release_key_pem: str
    hardware_roots: bool = False
    measured_pcr: int = 8
    host_pcrs: Mapping[int, bytes] | None = None

    def check(self) -> None:
        """Raise EnrolmentError unless roots and key can be read."""
        try:
            trusted_certificates(self.ek_roots_pem.encode())
            if self.release_key_pem:
                release_key(self.release_key_pem)
        except AttestationError as error:
            raise EnrolmentError(str(error)) from error

    def fields(self) -> dict[str, Any]:
        """Return the pins as the columns of a TpmService: the host's PCR values in hex, by their numbers as text."""
        given = asdict(self)
        return given | {"host_pcrs": {str(number): value.hex() for number, value in (self.host_pcrs or {}).items()}}


def enrol(*, name: str, url: str, pins: Pins, replace: bool = False) -> AttestationReport:
    """Learn to know a TPM service, pin its AK, and attest it for the first time; returns the accepted report.

    A service that is enrolled stays as it is, unless `replace` says that its TPM, or what is pinned of it, was replaced
    on purpose: then what it showed before counts no more. Raises EnrolmentError, and TpmError when it does not answer.
    """
    pins.check()
    service = _registered(name, url.rstrip("/"), pins, replace=replace)
    identity, steps = _identify(service)
    if not accepted(steps) or identity is None:
        raise _not_enrolled(report_keep(service, steps))
    service.ak_public, service.ek_certificate = identity.ak_public, identity.ek_certificate
    service.tpm_words = shown(identity.words)[:200]
    service.last, service.last_attested_at = None, None
    nonce = nonce_issue(service)
    answer, manifest = evidence_ask(service, nonce)
    report = evidence_judge(service, bytes(nonce.value), answer, manifest, before=steps)
    if report.outcome != AttestationReport.Outcome.ACCEPTED:
        raise _not_enrolled(report)
    return report


def _registered(name: str, url: str, pins: Pins, *, replace: bool) -> TpmService:
    """Return the row to enrol, with the new pins; written only when it is new, or later with the accepted evidence."""
    rows = list(TpmService.objects.filter(Q(name=name) | Q(url=url)))
    if not rows:
        return TpmService.objects.create(name=name, url=url, **pins.fields())
    if len(rows) > 1:
        raise EnrolmentError(f"{name} and {url} are two services of the register, expected one")
    found = rows[0]
    if (found.name, found.url) != (name, url) and not replace:
        raise EnrolmentError(f"{found.name} is registered at {found.url}, expected {name} at {url}")
    if found.enrolled and not replace:
        raise EnrolmentError(f"{found.name} is enrolled; replacing what is pinned of it has to be said")
    for field, value in {"name": name, "url": url, **pins.fields()}.items():
        setattr(found, field, value)
    return found


def _identify(service: TpmService) -> tuple[Identity | None, list[Step]]:
    """Take the first seven steps: who is it, and does the TPM with this EK hold this AK?"""
    answer = client_of(service).identity()
    try:
        identity = Identity.parse(answer)
    except MalformedError as error:
        message = str(error)
        found = Check("identity", "The service says who its TPM is", "EK and AK", lambda: _failed(message))
        return None, take([found])
    roots = service.ek_roots_pem.encode()
    steps = take(identity_checks(identity, roots_pem=roots, now=timezone.now()))
    if not accepted(steps):
        return None, steps
    activation = Check(
        "activation",
        "The TPM with this EK holds this AK",
        ACTIVATED,
        lambda: _activated(service, identity),
    )
    return identity, steps + take([activation], first=len(steps) + 1)


def _failed(message: str) -> Finding:
    raise MalformedError(message)


def _activated(service: TpmService, identity: Identity) -> Finding:
    credential = secrets.token_bytes(CREDENTIAL_BYTES)
    challenge = make_credential(parse_public(identity.ek_public), identity.ak_name, credential)
    try:
        opened = client_of(service).activate(challenge.credential_blob, challenge.secret)
    except TpmRefused as error:
        return Finding(ACTIVATED, f"refused: {error}", False)
    expected, found = (fingerprint(secret) for secret in (credential, opened))
    return Finding(expected, found, hmac.compare_digest(credential, opened))


def _not_enrolled(report: AttestationReport) -> EnrolmentError:
    """Say so on the service, too, unless it was enrolled before: then what was pinned stays, and its state."""
    TpmService.objects.filter(pk=report.service_id, ak_public__isnull=True).update(
        reason=report.reason, tried_at=report.at
    )
    return EnrolmentError(f"{report.service.name} was not enrolled: {report.reason}", report)
