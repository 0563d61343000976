"""The ledger audits itself: each beat what became final since, and a small slice of everything, round and round.

Each session is compared once in LEDGER_AUDIT_PASS_S, by default a day; a small ledger much oftener. The slices are so
small that all of it takes 2 % of one core at most (bench/ledger/audit_rolling.py).
"""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from common import clock
from ledger.alerts import alert_close, alert_raise
from ledger.audit import marks, runs
from ledger.audit.audit import Auditor, Chunk
from ledger.errors import ChainError
from ledger.models import AuditRun, ChainTransaction, LedgerEntry

NEWEST_MAX = 400  # a beat
SLICE_LEAST, SLICE_MAX = 50, 2000
PASS_AGAIN = timedelta(seconds=60)  # a small ledger's pass is over in a beat or two
FINDINGS_OF_NEWEST = 1000


def watch() -> None:
    """One beat. Where no node answers an alert says so, and the next one begins where this one stood."""
    if not settings.LEDGER_AUDIT_PASS_S:
        return
    try:
        auditor = Auditor()
        newest(auditor)
        rolling(auditor)
    except ChainError as error:
        alert_raise("audit_waits", message=str(error))
        running = AuditRun.objects.filter(kind__in=["NEWEST", "ROLLING"], finished_at__isnull=True)
        running.update(error=str(error)[:500])
    else:
        alert_close("audit_waits")


def newest(auditor: Auditor) -> int:
    """Compare entries that are IRREVERSIBLE and that nobody has compared yet; returns how many."""
    final = ChainTransaction.Status.IRREVERSIBLE
    unchecked = LedgerEntry.objects.filter(checked_at__isnull=True, transaction__status=final)
    ids = sorted(unchecked.order_by("-pk").values_list("pk", flat=True)[:NEWEST_MAX])
    run = _running(AuditRun.Kind.NEWEST)
    if ids:
        _newest_store(run, auditor.of(ids))
    elif run.error:
        AuditRun.objects.filter(pk=run.pk).update(error="")
    return len(ids)


@transaction.atomic
def _newest_store(run: AuditRun, chunk: Chunk) -> None:
    run = AuditRun.objects.select_for_update().get(pk=run.pk)
    counts = {name: run.counts.get(name, 0) + count for name, count in chunk.report.counts.items()}
    done, highest = run.done + len(chunk.verdicts), max(entry.id for entry, _ in chunk.verdicts)
    changes = {"counts": counts, "done": done, "total": done, "position": max(run.position, highest), "error": ""}
    AuditRun.objects.filter(pk=run.pk).update(**changes)
    for oldest in run.findings.order_by("-id").values_list("pk", flat=True)[FINDINGS_OF_NEWEST:][:1]:
        run.findings.filter(pk__lte=oldest).delete()
    runs.findings_keep(run, chunk.report.findings)
    marks.keep(chunk.verdicts)
    marks.tell(chunk.report.findings, equal=[entry.id for entry, one in chunk.verdicts if not one.mismatch])


def rolling(auditor: Auditor) -> int:
    """Go on with the pass over everything as far as it is due; returns how many entries were compared."""
    last = AuditRun.objects.filter(kind=AuditRun.Kind.ROLLING).first()
    if last and last.finished_at and last.started_at > clock.now() - PASS_AGAIN:
        return 0
    run = last if last and last.running else _running(AuditRun.Kind.ROLLING)
    before = run.done
    runs.step(run, auditor, limit=_due(run))
    return run.done - before


def _due(run: AuditRun) -> int:
    """How many entries to compare now, so that the pass ends in time."""
    spent = (clock.now() - run.started_at).total_seconds() / settings.LEDGER_AUDIT_PASS_S
    return min(max(int(run.total * spent) - run.done, SLICE_LEAST), SLICE_MAX)


def _running(kind: str) -> AuditRun:
    """The run of this kind that goes on; begun where there is none."""
    running = AuditRun.objects.filter(kind=kind, finished_at__isnull=True)
    if found := running.first():
        return found
    try:
        with transaction.atomic():
            return runs.run_begin(kind)
    except IntegrityError:  # another beat was first
        return running.get()
