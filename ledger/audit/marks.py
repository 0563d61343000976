"""What audits leave behind for those who look: the mark on the entry, and an alert for a person."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import Q
from django.utils import timezone

from ledger.alerts import alert_close, alert_raise
from ledger.audit.audit import Finding
from ledger.audit.comparison import Entry, Verdict
from ledger.models import Alert, AuditFinding, AuditRun, LedgerEntry

ALERTS_MAX = 50  # open at once; the rest is one alert that says how many
MORE = "more"
WRITTEN_AT_ONCE = 100


def keep(verdicts: Iterable[tuple[Entry, Verdict]]) -> None:
    """Write on each entry what was found where it says otherwise, or was never compared before."""
    changed: dict[str, list[int]] = defaultdict(list)
    for entry, verdict in verdicts:
        mismatch = verdict.mismatch[:255]
        if entry.mismatch != mismatch or (entry.checked_at is None and verdict.kind != "pending"):
            changed[mismatch].append(entry.id)
    for mismatch, ids in changed.items():
        for some in batched(ids):
            LedgerEntry.objects.filter(pk__in=some).update(mismatch=mismatch, checked_at=timezone.now())


def batched(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Statements of one length are prepared once; of a thousand lengths each would be kept, by client and server."""
    for start in range(0, len(ids), WRITTEN_AT_ONCE):
        yield ids[start : start + WRITTEN_AT_ONCE]


def tell(findings: Sequence[Finding], *, equal: Sequence[int] = ()) -> None:
    """Raise the alert `mismatch` for each finding, and close that of each entry that is equal, or here, again."""
    raised = Alert.objects.filter(code="mismatch", closed_at__isnull=True)
    subjects = set(raised.values_list("subject", flat=True))
    over = subjects & {f"{what} {ledger_id}" for ledger_id in equal for what in ("entry", "ledger id")}
    if over:
        raised.filter(subject__in=over).update(closed_at=timezone.now())
    subjects -= over
    if subjects == {MORE} and not findings and not LedgerEntry.objects.filter(mismatch__gt="").exists():
        alert_close("mismatch", MORE)
    for finding in findings:
        if finding.subject in subjects or len(subjects) < ALERTS_MAX:
            subjects.add(finding.subject)
            alert_raise("mismatch", finding.subject, finding.message)
    if len(findings) and len(subjects) >= ALERTS_MAX:
        differing = LedgerEntry.objects.filter(mismatch__gt="").count()
        alert_raise("mismatch", MORE, f"{differing} entries differ; see the audit's findings")


def settle(run: AuditRun) -> None:
    """A pass is over: close the alerts of what is not there any more, and that about too many."""
    others = run.findings.filter(Q(ledger_id__isnull=True) | Q(kind="unknown"))
    found = {_subject(one) for one in others.iterator()}
    raised = Alert.objects.filter(code="mismatch", closed_at__isnull=True)
    for subject in list(raised.values_list("subject", flat=True)):
        gone = subject.startswith(("ledger id ", "session ", "audit: ")) and subject not in found
        if gone or (subject.startswith("entry ") and not LedgerEntry.objects.filter(pk=subject[6:]).exists()):
            alert_close("mismatch", subject)
    if run.found < ALERTS_MAX:
        alert_close("mismatch", MORE)


def _subject(one: AuditFinding) -> str:
    return Finding(one.kind, one.ledger_id, str(one.session or ""), one.message).subject
