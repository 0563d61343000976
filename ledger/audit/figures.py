"""How the audit stands, for the home page and for monitoring: in a few queries, and without asking a node."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min
from django.utils import timezone

from ledger.models import AuditRun, LedgerEntry

FULL = (AuditRun.Kind.COMMAND, AuditRun.Kind.ASKED, AuditRun.Kind.ROLLING)


@dataclass(frozen=True)
class AuditFigures:
    """`last` is the newest full pass that ended well, of whatever kind; `rolling` the one that goes on by itself.

    `differing`: entries that are marked now. `waits`: why it cannot go on, "" where it does. `oldest`: since when at
    least one session was not compared; None where there is none to compare.
    """

    last: AuditRun | None
    rolling: AuditRun | None
    asked: AuditRun | None
    differing: int
    waits: str
    oldest: datetime | None

    @property
    def oldest_age(self) -> timedelta:
        """How long ago the entry was compared that was compared longest ago; nothing where none waits."""
        return timezone.now() - self.oldest if self.oldest else timedelta()

    @property
    def compared(self) -> int:
        """By the last full pass."""
        return self.last.done if self.last else 0

    @property
    def found(self) -> int:
        """Differences that the last full pass found."""
        return self.last.found if self.last else 0


def figures() -> AuditFigures:
    """In a few queries; no node is asked."""
    ended = AuditRun.objects.filter(kind__in=FULL, finished_at__isnull=False, error="")
    running = {run.kind: run for run in AuditRun.objects.filter(finished_at__isnull=True)}
    last, rolling = ended.order_by("-finished_at").first(), running.get(AuditRun.Kind.ROLLING)
    return AuditFigures(
        last=last,
        rolling=rolling,
        asked=running.get(AuditRun.Kind.ASKED),
        differing=LedgerEntry.objects.exclude(mismatch="").count(),
        waits=next((run.error for run in running.values() if run.error), ""),
        oldest=_oldest(last, rolling),
    )


def _oldest(before: AuditRun | None, rolling: AuditRun | None) -> datetime | None:
    """When the entry was compared that the pass comes to next: as far on in the pass before."""
    if before is None or before.finished_at is None:
        position = rolling.position if rolling else 0
        oldest: datetime | None = LedgerEntry.objects.filter(pk__gt=position).aggregate(at=Min("opened_at"))["at"]
        return oldest
    share = min(rolling.done / max(rolling.total, 1), 1.0) if rolling else 0.0
    return before.started_at + (before.finished_at - before.started_at) * share
