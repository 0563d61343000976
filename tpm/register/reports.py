"""What is kept of each judgement, and for how long."""

import contextlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from tpm.models import AttestationReport, EventLog, Nonce, ReleaseManifest, TpmService
from tpm.verifier.errors import AttestationError
from tpm.verifier.evidence import Evidence, SignedManifest
from tpm.verifier.fields import text_bytes
from tpm.verifier.steps import Step, accepted, reason

Outcome = AttestationReport.Outcome
BORNE_OUT = ("signature", "binding", "event_log_hash", "replay")  # steps by which the TPM itself vouches for the log
REPORTS_KEPT = timedelta(days=30)
NONCES_KEPT = timedelta(days=1)


def report_keep(
    service: TpmService,
    steps: Sequence[Step],
    *,
    nonce: bytes | None = None,
    answer: Mapping[str, Any] | None = None,
    manifest: SignedManifest | None = None,
) -> AttestationReport:
    """Keep the steps and, where it can be read, the evidence; what is no evidence is not kept.

    An event log has megabytes: only one that the TPM bears out is kept, or whoever answers could fill the database.
    """
    report = AttestationReport(
        service=service,
        outcome=Outcome.ACCEPTED if accepted(steps) else Outcome.REFUSED,
        reason=reason(steps),
        steps=[asdict(step) for step in steps],
        hardware=service.hardware,
        measured=service.measured,
        nonce=nonce,
    )
    with contextlib.suppress(AttestationError):
        good = {step.name for step in steps if step.outcome == "ok"}
        _keep_evidence(report, Evidence.parse(answer or {}), with_log=good.issuperset(BORNE_OUT))
    signed = next((step for step in steps if step.name == "manifest_signature"), None)
    if manifest is not None and service.measured and signed is not None and signed.outcome == "ok":
        report.manifest = manifest_keep(manifest, signed.note.removeprefix("release "))
    report.save()
    return report


def _keep_evidence(report: AttestationReport, evidence: Evidence, *, with_log: bool) -> None:
    report.quote, report.signature = evidence.quote, evidence.signature
    report.claims = evidence.claims_text.encode("utf-8", "surrogatepass")
    report.pcrs = {str(number): value.hex() for number, value in evidence.pcrs.items()}
    if with_log:
        report.event_log = EventLog.keep(evidence.event_log)


def manifest_keep(manifest: SignedManifest, version: str) -> ReleaseManifest:
    """Return its row; a manifest that was signed anew, perhaps with another key, gets its new signature."""
    row = ReleaseManifest.objects.defer("compressed").filter(digest=manifest.digest).first()
    if row is not None and bytes(row.signature) == manifest.signature:
        return row
    compressed = zlib.compress(text_bytes(manifest.text))
    fields = {"compressed": compressed, "signature": manifest.signature, "version": version[:200]}
    return ReleaseManifest.objects.update_or_create(digest=manifest.digest, defaults=fields)[0]


def prune() -> None:
    """Forget old nonces and old reports; the last report of each service stays, and the last accepted one."""
    now = timezone.now()
    Nonce.objects.filter(issued_at__lt=now - NONCES_KEPT).delete()
    old = AttestationReport.objects.filter(at__lt=now - REPORTS_KEPT)
    newer = AttestationReport.objects.filter(service=OuterRef("service"), at__gt=OuterRef("at"))
    newer_accepted = newer.filter(outcome=Outcome.ACCEPTED)
    is_last = ~Exists(newer) | (Q(outcome=Outcome.ACCEPTED) & ~Exists(newer_accepted))
    old.exclude(pk__in=list(old.filter(is_last).values_list("pk", flat=True))).delete()
    EventLog.objects.filter(attestationreport__isnull=True).delete()
