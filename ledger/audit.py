"""The database against the chain, every session and every row, in both directions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.chain import Chain, chain
from ledger.checks import changed_fields, differences, meter_values_differ, recorded_in_block, row_mismatch
from ledger.models import ChainTransaction, LedgerEntry
from ledger.record import canonical, record_of
from stations.models import ChargingSession

CHUNK = 500


@dataclass
class Finding:
    """One difference: what was expected, what was found."""

    kind: str  # "different" | "missing" | "unknown" | "not_entered"
    ledger_id: int | None
    session: str
    message: str


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
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.missing or self.different or self.unknown or self.not_entered)

    def add(self, kind: str, ledger_id: int | None, session: str, message: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        self.findings.append(Finding(kind, ledger_id, session, message))

    def as_dict(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            **{name: value for name, value in vars(self).items() if name != "findings"},
            "findings": [vars(finding) for finding in self.findings],
        }


def audit(*, progress: Callable[[int], None] = lambda _: None, node: Chain | None = None) -> Report:
    """Compare everything; `progress` hears how many entries are done. Raises ChainError when no node answers."""
    node = node or chain()
    report = Report()
    floor = node.state().floor
    head_id = node.state().last
    rows = _Rows(node.rows_iter())
    for entry in _entries():
        report_unknown(report, rows.skip_to(entry.pk))
        _entry(report, entry, rows.take(entry.pk), floor)
        progress(1)
    report_unknown(report, ((i, digest) for i, digest in rows.rest() if i <= head_id))
    for session in ChargingSession.objects.closed().filter(ledger_entry__isnull=True).iterator():
        report.add("not_entered", None, str(session.pk), "closed, but without a ledger entry")
    return report


def _entries() -> Iterator[LedgerEntry]:
    related = ("session__station", "session__connector", "session__id_token", "transaction")
    entries = LedgerEntry.objects.select_related(*related).prefetch_related("session__meter_values")
    return entries.order_by("id").iterator(chunk_size=CHUNK)


class _Rows:
    """The chain's rows beside the entries, both ascending by id: one merge, flat memory."""

    def __init__(self, rows: Iterator[tuple[int, bytes]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def skip_to(self, ledger_id: int) -> Iterator[tuple[int, bytes]]:
        while self._next and self._next[0] < ledger_id:
            yield self._next
            self._next = next(self._rows, None)

    def take(self, ledger_id: int) -> bytes | None:
        if self._next and self._next[0] == ledger_id:
            digest = self._next[1]
            self._next = next(self._rows, None)
            return digest
        return None

    def rest(self) -> Iterator[tuple[int, bytes]]:
        while self._next:
            yield self._next
            self._next = next(self._rows, None)


def report_unknown(report: Report, rows: Iterator[tuple[int, bytes]]) -> None:
    for ledger_id, digest in rows:
        message = f"digest {digest.hex()} is on the chain, but not in the database"
        report.add("unknown", ledger_id, "", message)


def _entry(report: Report, entry: LedgerEntry, row: bytes | None, floor: int) -> None:
    session = str(entry.session_id or "")
    fields = differences(entry)
    if fields:
        report.add("different", entry.pk, session, f"{', '.join(fields)}: {_what_changed(entry)}")
    elif entry.session and meter_values_differ(entry.session):
        report.add("different", entry.pk, session, "meter_values: others than when the session closed")
    elif entry.conflict:
        report.add("different", entry.pk, session, entry.conflict)
    elif entry.state != ChainTransaction.Status.IRREVERSIBLE:
        report.pending += 1
    else:
        reason = row_mismatch(entry, row, floor=floor, recorded=recorded_in_block)
        if reason:
            report.add("missing" if row is None else "different", entry.pk, session, reason)
        elif entry.erased_at:
            report.erased += 1
        else:
            report.equal += 1


def _what_changed(entry: LedgerEntry) -> str:
    if entry.session is None or entry.canonical is None:
        return "the session is gone"
    changed = changed_fields(bytes(entry.canonical), canonical(record_of(entry.session)))
    return "; ".join(f"recorded {before}, now {after}" for _, before, after in changed) or "the entry was altered"
