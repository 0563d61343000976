"""Putting sessions and their ledger entries back to what was recorded: by command or in the admin, and logged.

Meter values are not in the record and stay as they are. Nothing is deleted: what stands here as recorded and is on no
chain is named. Chain and keys are asked first; then all that hangs together changes in one database transaction.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from common.change_log import Change, change_write, changes_between, command_line, values_of
from ledger import record
from ledger.audit.audit import audit, entry_check
from ledger.errors import RepairRefused
from ledger.keys.seals import restored_seal
from ledger.models import ChainTransaction, DataKey, LedgerEntry
from ledger.recording.adopted import adopted_row
from ledger.repair.copies import Copy
from ledger.repair.rebuilding import Places, entry_values, session_put
from ledger.repair.truth import RECORDED, Recorded, Truth
from ledger.state.row import meter_values_differ
from stations.models import ChargingSession

QUIET = {"updated_at", "checked_at", "mismatch"}  # follow by themselves


@dataclass
class Repaired:
    """What became, or would become, of one ledger id: what is different then, field by field, or why it cannot be."""

    ledger_id: int | None
    session_id: UUID | None = None
    session: list[Change] = field(default_factory=list)
    entry: list[Change] = field(default_factory=list)
    session_came_back: bool = False
    entry_came_back: bool = False
    was: int | None = None  # the entry's number until now, where that was altered
    meter_values: bool = False  # are others than those that were recorded, and are nowhere else
    problem: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.session or self.entry or self.session_came_back or self.entry_came_back)


@dataclass(frozen=True)
class Plan:
    """What belongs together: the truths, and which entry's number has to become which ({right: wrong})."""

    truths: list[Truth]
    moved: dict[int, int]


def repair(
    wanted: Iterable[int | UUID], *, by: User | None = None, reason: str = "", dry_run: bool = False
) -> Iterator[Repaired]:
    """Put back what these ledger ids and sessions are about, each with what hangs together with it; repeats safely.

    Raises ChainError, and TpmError or MasterKeyMissing where a sealed copy has to be opened and cannot be.
    """
    work, done = _Repair(by, reason, dry_run), set[int | UUID | None]()
    wanted = list(wanted)
    work.recorded.look_for([one for one in wanted if isinstance(one, int)])
    for one in wanted:
        if one not in done:
            for told in work.one(one):
                done |= {told.ledger_id, told.session_id, told.was}
                yield told


def to_repair() -> list[int | UUID]:
    """What an audit finds: ledger ids first, so that what is left of sessions without an entry was never recorded."""
    findings = audit().findings
    ids = {finding.ledger_id for finding in findings if finding.ledger_id is not None}
    sessions = {UUID(str(found.session)) for found in findings if found.ledger_id is None and found.session}
    return [*sorted(ids), *sorted(sessions)]


class _Repair:
    def __init__(self, by: User | None, reason: str, dry_run: bool) -> None:
        self._by, self._reason, self._dry_run = by, reason, dry_run
        self.recorded = Recorded()

    def one(self, wanted: int | UUID) -> list[Repaired]:
        """One ledger id or session, with all that has to change along with it."""
        try:
            plan = self._plan([wanted] if isinstance(wanted, int) else self.recorded.ids_of(wanted))
            with transaction.atomic():
                told = self._put_all(plan)
                transaction.set_rollback(self._dry_run)
        except RepairRefused as error:
            return [_problem(wanted, str(error))]
        except IntegrityError as error:  # such as another session that has its station's number
            return [_problem(wanted, str(error).strip().splitlines()[0])]
        for done in told if not self._dry_run else []:
            _check(done)
        return told

    # --- what belongs together

    def _plan(self, ids: list[int]) -> Plan:
        """Entries that hold each other's session or digest change at once, and a credit comes with what it credits."""
        truths, moved, waiting = dict[int, Truth](), dict[int, int](), list(ids)
        while waiting:
            ledger_id = waiting.pop()
            if ledger_id in truths:
                continue
            truth = truths[ledger_id] = self.recorded.of(ledger_id)
            for holder in _holders(truth):
                if self.recorded.is_nowhere(holder):
                    self._move(holder, ledger_id, moved)
                else:
                    waiting.append(holder)
            if truth.credits and not ChargingSession.objects.filter(pk=truth.credits).exists():
                waiting += self.recorded.ids_of(truth.credits)
        _recorded_once(truths)
        return Plan(sorted(truths.values(), key=lambda truth: (truth.credits is not None, truth.ledger_id)), moved)

    def _move(self, holder: int, ledger_id: int, moved: dict[int, int]) -> None:
        """Its session's entry has a number under which nothing was recorded: that is what was altered."""
        if ledger_id in moved or LedgerEntry.objects.filter(pk=ledger_id).exists():
            words = _(
                "ledger entry %(id)s has its session, and nothing was recorded under that number: look at it first"
            )
            raise RepairRefused(words % {"id": holder})
        moved[ledger_id] = holder

    # --- putting it back

    def _put_all(self, plan: Plan) -> list[Repaired]:
        there = {moved or truth.ledger_id for truth in plan.truths for moved in [plan.moved.get(truth.ledger_id)]}
        before = {entry.pk: values_of(entry) for entry in LedgerEntry.objects.select_for_update().filter(pk__in=there)}
        if len(before) > 1:
            _let_go(before)
        return [self._put(truth, plan.moved.get(truth.ledger_id, truth.ledger_id), before) for truth in plan.truths]

    def _put(self, truth: Truth, was: int, before: dict[int, dict[str, Any]]) -> Repaired:
        told, kept = Repaired(truth.ledger_id, truth.session_id, was=was), before.get(was)
        values = self._values(truth, kept, told)
        if kept is None:
            assert truth.copy is not None  # nothing of it is here, so it was read from a block
            blank = {} if truth.content else entry_values(truth.copy, values["transaction"])
            entry = LedgerEntry.objects.create(**{"opened_at": truth.copy.block.time, **blank, **values})
            told.entry_came_back = True
        else:
            LedgerEntry.objects.filter(pk=was).update(**values)
            entry = LedgerEntry.objects.get(pk=truth.ledger_id)
            found = changes_between(entry, kept, values_of(entry))
            told.entry += [change for change in found if change["field"] not in QUIET]
        if entry.session:
            told.meter_values = meter_values_differ(entry.session)
        self._log(told, entry)
        return told

    def _values(self, truth: Truth, kept: dict[str, Any] | None, told: Repaired) -> dict[str, Any]:
        """The entry's fields; the session is put back on the way, and the transaction that carries it."""
        copy = truth.copy
        data_key = copy.data_key if copy else None
        if data_key is None:
            assert kept is not None  # else its copy was opened
            data_key = DataKey.objects.get(pk=kept["data_key"])
        values: dict[str, Any] = {"id": truth.ledger_id, "digest": truth.digest, "data_key": data_key}
        if truth.opened and truth.content:
            session, told.session, told.session_came_back = session_put(truth.content, data_key, Places())
            values |= {"session": session, "salt": truth.opened.salt, "canonical": truth.opened.canonical}
            values |= {"erased_at": None, "erasure_seal": None}
        elif (
            kept
        ):  # that it was erased is for the portal's seal to prove (ledger/keys/seals.py), not for us to say again
            at = kept["erased_at"] or data_key.destroyed_at
            values |= {"session_id": kept["session"], "salt": None, "canonical": None, "erased_at": at}
        if told.session_came_back:
            values["restored_seal"] = restored_seal(ledger_id=truth.ledger_id, digest=truth.digest)
        if copy:
            values |= {"transaction": self._carrier(copy, kept, told), "conflict": ""}
        return values

    def _carrier(self, copy: Copy, kept: dict[str, Any] | None, told: Repaired) -> ChainTransaction:
        """The transaction that recorded it, as the block has it."""
        told_of = kept["transaction"] if kept else None
        row = ChainTransaction.objects.filter(pk=told_of).first() if told_of else None
        if row and _carries(row, copy):
            return row
        right = adopted_row(copy.block, copy.transaction, self.recorded.view)
        if row and row.pk == right.pk:
            told.entry.append({"field": "transaction", "before": f"{row} (altered)", "after": str(right)})
        return right

    def _log(self, told: Repaired, entry: LedgerEntry) -> None:
        words = f"Put back to what was recorded under ledger id {told.ledger_id}. Reason: {self._reason or 'not given'}"
        by = self._by or command_line()
        if entry.session and (told.session or told.session_came_back):
            change_write(by=by, row=entry.session, changes=told.session, words=words)
        if told.changed:
            change_write(by=by, row=entry, changes=told.entry, words=words)


def _holders(truth: Truth) -> list[int]:
    """Other entries that have its session or its digest."""
    same = Q(digest=truth.digest) | Q(session=truth.session_id) if truth.session_id else Q(digest=truth.digest)
    return list(LedgerEntry.objects.filter(same).exclude(pk=truth.ledger_id).values_list("pk", flat=True))


def _recorded_once(truths: dict[int, Truth]) -> None:
    sessions = [truth.session_id for truth in truths.values() if truth.session_id]
    if twice := {str(session) for session in sessions if sessions.count(session) > 1}:
        ids = sorted(truth.ledger_id for truth in truths.values() if str(truth.session_id) in twice)
        words = _("session %(session)s was recorded more than once, under the ledger ids %(ids)s")
        raise RepairRefused(words % {"session": ", ".join(twice), "ids": ", ".join(map(str, ids))})


def _let_go(ids: Iterable[int]) -> None:
    """Within this database transaction: what is about to change hands is nobody's for a moment."""
    for ledger_id in ids:
        nobodys = {"session": None, "digest": record.new_salt(), "erased_at": timezone.now()}
        LedgerEntry.objects.filter(pk=ledger_id).update(**nobodys)


def _carries(row: ChainTransaction, copy: Copy) -> bool:
    found = copy.transaction
    return (
        (row.status, row.block_num, row.block_id) == (RECORDED, copy.block.num, copy.block.id)
        and (row.transaction_id, row.signature) == (found.id.hex(), found.signatures[0])
        and bytes(row.packed or b"") == found.packed
    )


def _problem(wanted: int | UUID, words: str) -> Repaired:
    return Repaired(wanted, problem=words) if isinstance(wanted, int) else Repaired(None, wanted, problem=words)


def _check(done: Repaired) -> None:
    """The mark on the entry and the alert go, where nothing differs any more."""
    related = ("transaction", "session__station", "session__connector", "session__id_token")
    entry = LedgerEntry.objects.select_related(*related).filter(pk=done.ledger_id or 0).first()
    check = entry_check(entry=entry) if entry else None
    if check and not check.ok and not done.meter_values:
        done.problem = check.reason
