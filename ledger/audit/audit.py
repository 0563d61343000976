"""The database against the chain, every session and every row, in both directions.

`Auditor` compares a chunk of entries at a time; whoever drives it (`audit` here, `runs.py`) keeps the position.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain as chain_of
from typing import Any

from django.db.models import F, Window
from django.db.models.functions import Lag
from django.utils import timezone

from ledger.alerts import alert_close, alert_raise
from ledger.audit import rows as audit_rows
from ledger.audit.beside import beside
from ledger.audit.chain import Carrier, Carriers
from ledger.audit.comparison import Beside, Entry, Verdict, judge
from ledger.audit.rows import Row
from ledger.chain.history import history_findings
from ledger.chain.node import Chain, chain
from ledger.chain.records import rows_of
from ledger.chain.walk import record_data, walk
from ledger.models import ChainTransaction, LedgerEntry
from stations.models import ChargingSession

CHUNK = 1000
NO_CARRIER = Carrier()


@dataclass
class Finding:
    """One difference: what was expected, what was found."""

    kind: str  # "different" | "missing" | "unknown" | "not_entered"
    ledger_id: int | None
    session: str
    message: str
    history: bool = False  # what the blocks say against the table: no entry leads to it

    def as_dict(self) -> dict[str, Any]:
        """As `ledger_audit --json` has it."""
        return {name: value for name, value in vars(self).items() if name != "history"}

    @property
    def subject(self) -> str:
        """Of its alert."""
        if self.history:
            return f"history of ledger id {self.ledger_id}"
        if self.kind == "not_entered":
            return f"session {self.session}"
        if self.ledger_id is None:
            return f"audit: {self.message}"[:100]
        return f"ledger id {self.ledger_id}" if self.kind == "unknown" else f"entry {self.ledger_id}"


@dataclass
class Report:
    """What an audit found. `clean` is what the exit status says."""

    equal: int = 0
    missing: int = 0  # IRREVERSIBLE here, no row there
    different: int = 0  # row, entry or chain differ
    unknown: int = 0  # on the chain, not in the database
    not_entered: int = 0  # closed sessions without a ledger entry
    erased: int = 0  # digest equal, contents destroyed with their customer
    pending: int = 0  # not IRREVERSIBLE yet
    restored: int = 0  # of the equal ones: without their meter values since they were restored
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing missing, different, unknown or not entered."""
        return not (self.missing or self.different or self.unknown or self.not_entered)

    def add(self, finding: Finding) -> None:
        """Counts and keeps a finding."""
        setattr(self, finding.kind, getattr(self, finding.kind) + 1)
        self.findings.append(finding)

    def take(self, entry: Entry, verdict: Verdict) -> None:
        """Counts the verdict on an entry; one that has something to say is a finding."""
        if verdict.message:
            self.add(Finding(verdict.kind, entry.id, str(entry.session or ""), verdict.message))
            return
        setattr(self, verdict.kind, getattr(self, verdict.kind) + 1)
        self.restored += verdict.without_values

    def join(self, other: "Report") -> None:
        """Adds what another pass counted and found."""
        for name, count in other.counts.items():
            setattr(self, name, getattr(self, name) + count)
        self.findings += other.findings

    @property
    def counts(self) -> dict[str, int]:
        """By kind."""
        return {name: value for name, value in vars(self).items() if name != "findings"}

    def as_dict(self) -> dict[str, Any]:
        """As `ledger_audit --json` has it."""
        return {"clean": self.clean, **self.counts, "findings": [finding.as_dict() for finding in self.findings]}


@dataclass(frozen=True)
class Chunk:
    """What was compared: up to `position`, and what came of each entry."""

    position: int
    verdicts: list[tuple[Entry, Verdict]]
    report: Report


def audit(*, progress: Callable[[int], None] = lambda _: None, node: Chain | None = None) -> Report:
    """Compare everything and write nothing; `progress` hears how many entries are done. Raises ChainError."""
    auditor, report, position = Auditor(node), Report(), 0
    while chunk := auditor.after(position, limit=CHUNK):
        report.join(chunk.report)
        position = chunk.position
        progress(len(chunk.verdicts))
    report.join(auditor.rest(position))
    return report


class Auditor:
    """One look at the chain's state, then entries by the chunk. Raises ChainError where no node answers.

    `history` compares all that blocks ever recorded with the table, too (ledger/chain/history.py); with `every_block`
    it does not believe the contract's list of blocks.
    """

    def __init__(self, node: Chain | None = None, *, history: bool = False, every_block: bool = False) -> None:
        self.node, self.history, self.every_block = node or chain(), history, every_block
        self.carriers = Carriers(self.node)
        self.info = self.carriers.view.info  # refuses another chain
        state = self.node.state()
        self.floor, self.last = state.floor, state.last

    def after(self, position: int, *, limit: int) -> Chunk | None:
        """Compare the next entries after this ledger id, and the rows between them; None where there are none."""
        entries = audit_rows.rows_after(position, limit=limit)
        if not entries:
            return None
        last = entries[-1][0].id
        rows = dict(self.node.rows_iter(position + 1, last))
        return self._chunk(entries, rows, last, audit_rows.values_sha256(pk__gt=position, pk__lte=last))

    def of(self, ids: Sequence[int]) -> Chunk:
        """Compare these entries alone (ids ascending)."""
        rows, values = rows_of(self.node, ids) if ids else {}, audit_rows.values_sha256(pk__in=ids)
        return self._chunk(audit_rows.rows_of(ids), rows, 0, values)

    def _chunk(self, entries: list[Row], rows: dict[int, bytes], position: int, values: dict[Any, str]) -> Chunk:
        verdicts = self._judged(entries, rows, values)
        if any(verdict.kind == "missing" for _, verdict in verdicts):
            self.carriers.require_fresh()
        report = Report()
        for entry, verdict in verdicts:
            report.take(entry, verdict)
        known = {entry.id for entry, _ in verdicts}
        unknown_add(report, {pk: digest for pk, digest in rows.items() if pk not in known})
        return Chunk(position, verdicts, report)

    def _judged(
        self, entries: list[Row], rows: dict[int, bytes], values: dict[Any, str]
    ) -> list[tuple[Entry, Verdict]]:
        carriers = self.carriers.of({entry.transaction for entry, _ in entries if entry.transaction is not None})
        holders = audit_rows.holders({entry.data_key for entry, _ in entries if entry.key_closed_at is not None})
        found = []
        for entry, session in entries:
            row, sha256 = rows.get(entry.id), values.get(entry.session, "")
            holder = holders.get(entry.data_key, entry.key_customer)
            known = Beside(row, self.floor, *self._carried(entry, carriers), sha256, holder)
            found.append((entry, judge(entry, session, known)))
        return found

    def _carried(self, entry: Entry, carriers: dict[int, Carrier]) -> tuple[str, bytes | None]:
        """(what is wrong with the entry's transaction, the digest that it recorded)."""
        carrier = carriers.get(entry.transaction, NO_CARRIER) if entry.transaction is not None else NO_CARRIER
        recorded, reason = carrier.digests.get(entry.id), carrier.reason
        if entry.transaction in carriers and not reason and carrier.key_ids.get(entry.id, entry.key_id) != entry.key_id:
            reason = "data_key: the copy on the chain is sealed under another one"
        if recorded != entry.digest and entry.transaction in carriers and not reason:
            reason = "transaction: it recorded " + ("another digest" if recorded else "other entries, not this one")
        return reason, recorded

    def rest(self, position: int) -> Report:
        """What no entry leads to: rows after the last one, ids that were pruned and are gone, sessions unrecorded."""
        report = Report()
        rows = ((pk, digest) for pk, digest in self.node.rows_iter(position + 1) if pk <= self.last)
        unknown_add(report, dict(rows))
        for missed in chain_of(self._pruned_and_gone(), _impossible()):
            report.add(missed)
        for message in beside(self.carriers):
            report.add(Finding("different", None, "", message))
        for finding in history_findings(self.node, every_block=self.every_block) if self.history else ():
            report.add(Finding(*finding, history=True))
        return report

    def _pruned_and_gone(self) -> Iterator[Finding]:
        """Ids at or below the floor that no entry has: their rows were pruned, so only the blocks know of them.

        An id may also never have been used: a session that was not closed after all took it along.
        """
        gone = gaps(self.floor)
        if not gone:
            return
        for block in walk(self.node):
            for ledger_id, digest, _ in (
                item for data in record_data(block, self.node.account) for item in data.records
            ):
                if any(ledger_id in gap for gap in gone):
                    words = f"digest {digest.hex()} was recorded in block {block.num} and pruned"
                    yield Finding("unknown", ledger_id, "", f"{words}; it is not in the database")


def unknown_add(report: Report, rows: dict[int, bytes]) -> None:
    """Rows that no entry has; looked at once more, as entries may have come since they were read."""
    known = set(LedgerEntry.objects.filter(pk__in=list(rows)).values_list("pk", flat=True)) if rows else set()
    for ledger_id, digest in rows.items():
        if ledger_id not in known:
            message = f"digest {digest.hex()} is on the chain, but not in the database"
            report.add(Finding("unknown", ledger_id, "", message))


def gaps(floor: int) -> list[range]:
    """Ledger ids from 1 to the floor that no entry has."""
    below = LedgerEntry.objects.filter(pk__gte=1, pk__lte=floor)
    before = Window(Lag("pk", default=0), order_by="pk")
    steps = below.annotate(before=before).filter(before__lt=F("pk") - 1).order_by("pk").values_list("before", "pk")
    found = [range(first + 1, last) for first, last in steps]
    highest = below.order_by("-pk").values_list("pk", flat=True).first() or 0
    return [*found, range(highest + 1, floor + 1)] if highest < floor else found


def _impossible() -> Iterator[Finding]:
    """What the database alone can say, over all entries at once."""
    for session in ChargingSession.objects.closed().filter(ledger_entry__isnull=True).values_list("pk", flat=True):
        yield Finding("not_entered", None, str(session), "closed, but without a ledger entry")
    for pk in LedgerEntry.objects.filter(pk__lte=0).values_list("pk", flat=True):
        yield Finding("different", pk, "", "ledger ids begin at 1")


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
