"""Audits that are kept: asked for, by command, of the newest, and round and round; each goes on where it was killed.

What a chunk found, how far the run is and what the entries say of it are one database transaction, and the position is
the lock: of two workers at one run, the second stores nothing.
"""

from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import User
from common import clock
from common.announce import announce
from ledger.audit import marks
from ledger.audit.audit import CHUNK, Auditor, Chunk, Finding, Report
from ledger.errors import ChainError
from ledger.models import AuditFinding, AuditRun, LedgerEntry

Kind = AuditRun.Kind
CLAIM = timedelta(seconds=60)
FINDINGS_KEPT = 10_000  # of a run: counts go on, and entries are marked
RUNS_KEPT = {Kind.COMMAND: 100, Kind.ASKED: 100, Kind.ROLLING: 50}


def audit_ask(*, by: User) -> AuditRun:
    """Begin an audit and announce it; the one that runs already, where somebody asked before."""
    try:
        with transaction.atomic():
            run = run_begin(Kind.ASKED, by=by)
            transaction.on_commit(lambda: audit_announce(run.pk), robust=True)
            return run
    except IntegrityError:
        running = AuditRun.objects.filter(kind=Kind.ASKED, finished_at__isnull=True).first()
        return running or audit_ask(by=by)  # it ended just now


def audit_cancel(*, run: AuditRun, by: User) -> bool:
    """End a run that was asked for; False where it had ended."""
    running = AuditRun.objects.filter(pk=run.pk, kind=Kind.ASKED, finished_at__isnull=True)
    return bool(running.update(finished_at=clock.now(), error=f"stopped by {by.get_username()}"[:500]))


def audit_announce(run_id: int) -> None:
    """Has a worker go on with it; else the beat comes by."""
    announce("ledger.tasks.audit_continue", run_id)


def run_begin(kind: str, *, by: User | None = None) -> AuditRun:
    """Raises IntegrityError where one of this kind runs."""
    return AuditRun.objects.create(kind=kind, started_by=by, total=LedgerEntry.objects.count())


# --- what the worker does


def audits_due() -> list[int]:
    """Asked runs that are not over and that no worker has at the moment."""
    running = AuditRun.objects.filter(_free(), kind=Kind.ASKED, finished_at__isnull=True)
    return list(running.order_by("id").values_list("pk", flat=True))


def audit_advance(*, run_id: int, go_on: Callable[[], bool]) -> bool:
    """Compare chunk by chunk while `go_on()`; True where something is left for another turn.

    False too where another worker has it. Where no node answers it waits, with the reason on the run.
    """
    run = _claimed(run_id)
    if run is None:
        return False
    try:
        auditor = Auditor()
        while go_on():
            if not step(run, auditor, limit=CHUNK):
                return False
    except ChainError as error:
        AuditRun.objects.filter(pk=run.pk, finished_at__isnull=True).update(error=str(error)[:500])
        _release(run)
        raise
    _release(run)
    return True


def run_all(
    run: AuditRun,
    *,
    progress: Callable[[int], None],
    found: Callable[[Finding], None],
    history: bool = False,
    every_block: bool = False,
) -> Report:
    """Compare everything now; returns the counts, and hands over each finding. Raises ChainError; the run is over then.

    Memory stays flat, whatever is found.
    """
    total = Report()
    try:
        auditor = Auditor(history=history, every_block=every_block)
        while True:
            report, compared = _advanced(run, auditor, limit=CHUNK)
            total.join(report)
            for finding in total.findings:
                found(finding)
            total.findings.clear()
            if not compared:
                return total
            progress(compared)
    except BaseException as error:
        ended = AuditRun.objects.filter(pk=run.pk, finished_at__isnull=True)
        ended.update(finished_at=clock.now(), error=(str(error) or type(error).__name__)[:500])
        raise


def step(run: AuditRun, auditor: Auditor, *, limit: int) -> bool:
    """Compare the next entries of a run and store what came of it; False at its end, or where it is over."""
    _, compared = _advanced(run, auditor, limit=limit)
    return bool(compared) and run.running


def _advanced(run: AuditRun, auditor: Auditor, *, limit: int) -> tuple[Report, int]:
    """(what was found, how many entries were compared): 0 at the end."""
    chunk = auditor.after(run.position, limit=limit)
    if chunk is None:
        report = auditor.rest(run.position)
        _finish(run, report)
        return report, 0
    return chunk.report, len(chunk.verdicts) if _store(run, chunk) else 0


@transaction.atomic
def _store(run: AuditRun, chunk: Chunk) -> bool:
    changes = _changes(run, chunk.report) | {"position": chunk.position, "done": run.done + len(chunk.verdicts)}
    if not _change(run, changes | {"claimed_until": clock.now() + CLAIM, "error": ""}):
        return False
    findings_keep(run, chunk.report.findings)
    marks.keep(chunk.verdicts)
    marks.tell(chunk.report.findings, equal=[entry.id for entry, found in chunk.verdicts if not found.mismatch])
    return True


@transaction.atomic
def _finish(run: AuditRun, report: Report) -> bool:
    changes = _changes(run, report) | {"finished_at": clock.now(), "claimed_until": None, "error": ""}
    if not _change(run, changes):
        return False
    findings_keep(run, report.findings)
    marks.tell(report.findings)
    marks.settle(run)
    runs_prune(run.kind)
    return True


def _changes(run: AuditRun, report: Report) -> dict[str, object]:
    return {"counts": {name: run.counts.get(name, 0) + count for name, count in report.counts.items()}}


def _change(run: AuditRun, changes: dict[str, object]) -> bool:
    """Only where nobody else went on with it, or ended it; the run in hand is brought up to date."""
    mine = AuditRun.objects.filter(pk=run.pk, position=run.position, done=run.done, finished_at__isnull=True)
    if not mine.update(**changes):
        run.refresh_from_db()
        return False
    for name, value in changes.items():
        setattr(run, name, value)
    return True


def findings_keep(run: AuditRun, findings: list[Finding]) -> None:
    """The first FINDINGS_KEPT of a run; the counts go on."""
    if findings:
        room = max(FINDINGS_KEPT - run.findings.count(), 0)
        AuditFinding.objects.bulk_create([_row(run, finding) for finding in findings[:room]], batch_size=500)


def _row(run: AuditRun, finding: Finding) -> AuditFinding:
    return AuditFinding(
        run=run,
        kind=finding.kind,
        ledger_id=finding.ledger_id,
        session=finding.session or None,
        message=finding.message,
    )


def runs_prune(kind: str) -> None:
    """Forget the oldest; what they found stands on the entries, and in the newer ones."""
    ended = AuditRun.objects.filter(kind=kind, finished_at__isnull=False).order_by("-id")
    oldest = list(ended.values_list("pk", flat=True)[RUNS_KEPT[Kind(kind)] :][:1])
    if oldest:
        ended.filter(pk__lte=oldest[0]).delete()


def _free() -> Q:
    return clock.free(CLAIM)


def _claimed(run_id: int) -> AuditRun | None:
    running = AuditRun.objects.filter(_free(), pk=run_id, finished_at__isnull=True)
    return AuditRun.objects.get(pk=run_id) if running.update(claimed_until=clock.now() + CLAIM) else None


def _release(run: AuditRun) -> None:
    AuditRun.objects.filter(pk=run.pk).update(claimed_until=None)
