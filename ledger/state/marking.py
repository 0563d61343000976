"""A session that differs from its record is marked as soon as anybody looks at it, not only when the audit comes by."""

from collections.abc import Iterable

from django.utils import timezone

from ledger.alerts import alert_raise
from ledger.models import LedgerEntry
from ledger.state.row import differences
from ledger.state.words import entry_of
from stations.models import ChargingSession


def mark_differing(sessions: Iterable[ChargingSession]) -> bool:
    """Mark the entries of these, which were found to differ, and tell a person; whether any was not marked yet."""
    found = [entry for entry in map(entry_of, sessions) if entry and not (entry.mismatch or entry.conflict)]
    return sum(map(_mark, found)) > 0


def _mark(entry: LedgerEntry) -> bool:
    fields = differences(entry)
    if not fields:  # its state says so, and everybody knows
        return False
    reason = f"changed since it was recorded: {', '.join(fields)}"
    mine = LedgerEntry.objects.filter(pk=entry.pk, mismatch="")
    if not mine.update(mismatch=reason[:255], checked_at=timezone.now()):
        return False
    alert_raise("mismatch", f"entry {entry.pk}", reason)
    return True
