"""One entry compared now, as an operator asks for it."""

from dataclasses import dataclass

from django.utils import timezone

from ledger.alerts import alert_close, alert_raise
from ledger.audit.audit import Auditor
from ledger.models import ChainTransaction, LedgerEntry


@dataclass(frozen=True)
class Check:
    """The outcome of comparing one entry with the chain; `reason` says in one sentence what differs."""

    ok: bool
    reason: str


def entry_check(*, entry: LedgerEntry) -> Check:
    """Compare row, entry and chain; keep the finding on the entry, open or close the alert. Raises ChainError."""
    ((found, verdict),) = Auditor().of([entry.pk]).verdicts
    reason = verdict.mismatch
    LedgerEntry.objects.filter(pk=entry.pk).update(mismatch=reason[:255], checked_at=timezone.now())
    if reason:
        alert_raise("mismatch", f"entry {entry.pk}", reason)
        return Check(False, reason)
    alert_close("mismatch", f"entry {entry.pk}")
    recorded = found.status == ChainTransaction.Status.IRREVERSIBLE
    return Check(True, "equal to the record on the chain" if recorded else "not recorded yet; the row equals its entry")
