"""The register of TPM services: attest and certify, one step each.

A service is enrolled once (enrolment.py). From then on its AK speaks for its TPM. All that a service answers is judged
by the pure modules (tpm/verifier).

RegisterError                   what was asked of the register cannot be done
├── EnrolmentError              the service was not enrolled (enrolment.py)
└── CertificationRefusedError   a key was not certified as one that lives in the attested TPM
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import transaction

from common import clock
from tpm.client import Key, TpmClient, TpmError, TpmRefused, TpmUnavailable
from tpm.models import AttestationReport, KeyCertification, Nonce, ReleaseManifest, TpmService
from tpm.register.gate import trusted, trusted_with_key
from tpm.register.reports import report_keep
from tpm.register.values import issued, pinned, signed
from tpm.tokens import ClientCredentials
from tpm.verifier.attestation import verify_evidence
from tpm.verifier.certification import Certification, certification_nonce, verify_certification
from tpm.verifier.errors import AttestationError, MalformedError
from tpm.verifier.events import check_manifest_signature, parse_manifest
from tpm.verifier.evidence import NONCE_BYTES, Evidence, SignedManifest
from tpm.verifier.steps import Step, accepted, reason, shown

State, Outcome = TpmService.State, AttestationReport.Outcome
ATTEST_EVERY = timedelta(minutes=5)
RETRY_AFTER = timedelta(seconds=30)
CLAIM = timedelta(seconds=60)


class RegisterError(Exception):
    """The root: what was asked of the register cannot be done; the message says why."""


class CertificationRefusedError(RegisterError):
    """The key was not certified as one that was made in the attested TPM and cannot leave it."""


@lru_cache(maxsize=8)
def _client(url: str, token_url: str, client_id: str, client_secret: str, scopes: tuple[str, ...]) -> TpmClient:
    return TpmClient(url, ClientCredentials(token_url, client_id, client_secret, list(scopes)))


def client_of(service: TpmService) -> TpmClient:
    """Return a client of this service with the portal's credentials; one HTTP session a process."""
    credentials = (settings.TPM_TOKEN_URL, settings.TPM_CLIENT_ID, settings.TPM_CLIENT_SECRET)
    return _client(service.url, *credentials, tuple(settings.TPM_SCOPES))


# --- attestation


def nonce_issue(service: TpmService) -> Nonce:
    """Issue a challenge for this service; it is valid for 60 s and for one use."""
    return Nonce.objects.create(value=secrets.token_bytes(NONCE_BYTES), service=service, issued_at=clock.now())


def attest(service: TpmService) -> AttestationReport | None:
    """Ask the service for evidence, judge it and keep the report.

    None where nothing was judged: the service does not answer (the state says so), or another worker is at it.
    """
    clock.measure()  # the TPM's own clock is compared with ours from one time to the next, whoever asks then
    if not _claim(service):
        return None
    service.refresh_from_db()  # another worker may have attested it since: ask about the entry that counts now
    try:
        nonce = nonce_issue(service)
        answer, manifest = evidence_ask(service, nonce)
    except TpmError as error:
        _no_answer(service, error)
        return None
    return evidence_take(service=service, nonce=bytes(nonce.value), answer=answer, manifest=manifest)


def _claim(service: TpmService) -> bool:
    """Take the service for a while: never two attestations of it at once."""
    claimed = TpmService.objects.filter(clock.free(CLAIM), pk=service.pk, ak_public__isnull=False)
    return bool(claimed.update(claimed_until=clock.now() + CLAIM))


def evidence_ask(service: TpmService, nonce: Nonce) -> tuple[dict[str, Any], SignedManifest | None]:
    """Return evidence, and the manifest that it names; one that was seen before is not fetched again."""
    client = client_of(service)
    known = pinned(service)
    seen = (known.last.audit_sequence, known.last.audit_hash) if known.last else None
    answer = client.attest(bytes(nonce.value), known.pcrs, audit=seen)
    try:
        digest = Evidence.parse(answer).claims.manifest_digest
    except AttestationError:
        return answer, None
    if digest is None:
        return answer, None
    kept = ReleaseManifest.objects.filter(digest=digest).first()
    if kept is not None and _is_signed(signed(kept), service.release_key_pem):
        return answer, signed(kept)
    try:
        return answer, SignedManifest.parse(client.manifest())
    except (TpmRefused, MalformedError):
        return answer, None


def _is_signed(manifest: SignedManifest, release_key_pem: str) -> bool:
    """Still by the key that is pinned now? It may have been replaced since."""
    try:
        check_manifest_signature(manifest.text, manifest.signature, release_key_pem)
    except AttestationError:
        return False
    return True


def _no_answer(service: TpmService, error: TpmError) -> None:
    """A service that is away keeps its fresh evidence; one that refuses to be attested, or was refused, does not.

    Who has no token here (as the web process, whose admin asks too) has learnt nothing of the service.
    """
    now = clock.now()
    row = TpmService.objects.filter(pk=service.pk)
    row.update(tried_at=now, due_at=now + RETRY_AFTER, claimed_until=None)
    if error.permanent and error.code != "token":
        row.update(state=State.REFUSED, reason=shown(str(error)))
    else:
        row.filter(state__in=[State.ATTESTED, State.UNREACHABLE]).update(
            state=State.UNREACHABLE, reason=shown(str(error))
        )


def evidence_take(
    *, service: TpmService, nonce: bytes, answer: Mapping[str, Any], manifest: SignedManifest | None
) -> AttestationReport:
    """Judge evidence against what is pinned and what was accepted before; uses the nonce up, keeps the report."""
    with transaction.atomic():
        locked = TpmService.objects.select_for_update().get(pk=service.pk)
        return evidence_judge(locked, nonce, answer, manifest)


@transaction.atomic
def evidence_judge(
    service: TpmService,
    nonce: bytes,
    answer: Mapping[str, Any],
    manifest: SignedManifest | None,
    before: Sequence[Step] = (),
) -> AttestationReport:
    """Judge evidence for a service row in hand; `before` are the steps of its enrolment."""
    row = Nonce.objects.select_for_update(of=("self",)).select_related("service").filter(value=nonce).first()
    challenge, known, now = issued(row) if row else None, pinned(service), clock.now()
    steps = verify_evidence(answer, manifest, nonce=challenge, pinned=known, now=now, first=len(before) + 1)
    if row is not None and row.service_id == service.pk:
        Nonce.objects.filter(pk=row.pk, used_at__isnull=True).update(used_at=now)
    report = report_keep(service, [*before, *steps], nonce=nonce, answer=answer, manifest=manifest)
    good = report.outcome == Outcome.ACCEPTED
    if good:
        service.last, service.last_attested_at = _counters(Evidence.parse(answer), manifest), now
    elif before:
        return report  # what was enrolled before stays as it was
    service.state, service.reason = (State.ATTESTED, "") if good else (State.REFUSED, report.reason)
    service.tried_at, service.claimed_until = now, None
    service.due_at = now + (ATTEST_EVERY if good else RETRY_AFTER)
    service.save()
    return report


def _counters(evidence: Evidence, manifest: SignedManifest | None) -> dict[str, Any]:
    """Return what the next evidence is compared with."""
    quoted, claims = evidence.quoted, evidence.claims
    return {
        **asdict(quoted.clock),
        "firmware_version": quoted.firmware_version,
        "audit_sequence": claims.audit_sequence,
        "audit_hash": claims.audit_hash,
        "release_created_at": parse_manifest(manifest.text).created_at.isoformat() if manifest else None,
    }


def attest_due() -> list[AttestationReport]:
    """Attest each service whose time has come; returns the reports."""
    enrolled = TpmService.objects.filter(ak_public__isnull=False)
    return [report for service in enrolled if _is_due(service) and (report := attest(service))]


def _is_due(service: TpmService) -> bool:
    """Its time has come; or it says for itself that something is wrong, which is cheap to ask."""
    if clock.is_due(service.due_at, ATTEST_EVERY):
        return True
    if service.state != State.ATTESTED:
        return False
    try:
        return client_of(service).health().get("integrity") == "failed"
    except TpmError:
        return False


# --- certification


def certify(service: TpmService, key: str) -> KeyCertification:
    """Have the AK certify a key, check it, and keep it for the ledger and its receipts.

    Raises CertificationRefusedError, and TpmError when the service does not answer.
    """
    assert service.ak_public is not None
    client = client_of(service)
    found = client.key_get(key)
    ak_public, ek_certificate = bytes(service.ak_public), _bytes(service.ek_certificate)
    nonce = certification_nonce(ek_certificate)
    certification = _certified(client, found, ak_public=ak_public, nonce=nonce)
    row, _ = KeyCertification.objects.update_or_create(
        service=service,
        public_key_eosio=found.public_key_eosio,
        ak_public=ak_public,
        defaults={**asdict(certification), "key_name": key, "ek_certificate": ek_certificate, "at": clock.now()},
    )
    return row


def _certified(client: TpmClient, key: Key, *, ak_public: bytes, nonce: bytes) -> Certification:
    try:
        certification = Certification.parse(client.certify(key.name, nonce))
    except MalformedError as error:
        raise CertificationRefusedError(f"key {key.name}: {error}") from error
    steps = verify_certification(certification, ak_public=ak_public, nonce=nonce, public_key_eosio=key.public_key_eosio)
    if not accepted(steps):
        raise CertificationRefusedError(f"key {key.name}: {reason(steps)}")
    return certification


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)


# --- what the ledger asks before it signs (gate.py has what only the rows can tell)


def require_certified(url: str, *, key: str, public_key_eosio: str) -> None:
    """Raise TpmUnavailable unless the service is attested and its AK certified this key; one query.

    A key that is met for the first time is certified now, after the service was attested once more.
    """
    if settings.TPM_ATTESTATION == "off":
        return
    service, is_certified = trusted_with_key(url, public_key_eosio)
    if is_certified:
        return
    attest(service)
    service.refresh_from_db()
    trusted(service, url)
    try:
        row = certify(service, key)
    except RegisterError as error:
        raise TpmUnavailable("not_certified", str(error)) from error
    if row.public_key_eosio != public_key_eosio:
        raise TpmUnavailable("not_certified", f"key {key}: expected {public_key_eosio}, got {row.public_key_eosio}")
