"""Bringing the sessions back from the chain: every sealed copy that a data key opens becomes a session again.

What the chain holds under a ledger id is told by its digest. A database put back from an older backup gave ids to new
sessions that the chain has already: such an entry moves to an id above all of the chain's, where it is recorded like
any other, and the lost session comes back under its own. What stands here as recorded is never changed: where it is
not what the chain holds it is named, for `ledger_restore --repair` (ledger/repair/repair.py).
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max, Q, QuerySet

from ledger.alerts import alert_close
from ledger.chain.node import State
from ledger.chain.view import View
from ledger.chain.walk import walk
from ledger.errors import ChainRefused
from ledger.models import ChainTransaction, LedgerEntry
from ledger.recording import hold
from ledger.recording.adopted import adopted_row
from ledger.recording.ids import ids_above, next_id
from ledger.repair.copies import Copy, Opener, copies_in
from ledger.repair.rebuilding import Places, entry_values, session_put
from ledger.signals import transactions_recorded
from stations.models import ChargingSession

S = ChainTransaction.Status
RECORDED = S.IRREVERSIBLE
WAITING = (S.BATCHED, S.EXPIRED, S.CONFLICT)  # such a transaction will record nothing any more, or nothing yet


@dataclass
class Restored:
    """What a run found and did. `credits` wait for the sessions that they take back, which come later."""

    sessions: int = 0
    already_there: int = 0
    adopted: int = 0  # here, but not known to be recorded
    renumbered: list[tuple[int, int]] = field(default_factory=list)  # (its ledger id until now, its new one)
    closed_again: list[tuple[int, int]] = field(default_factory=list)  # (entry of the second closing, recorded one)
    erased: int = 0
    unreadable: list[int] = field(default_factory=list)  # no key at hand opens them, or they credit what is not there
    different: list[int] = field(default_factory=list)  # recorded here as something else
    pruned: int = 0  # only their block holds them still
    seen: int = 0
    last: int = 0
    credits: list[Copy] = field(default_factory=list)

    @property
    def unused(self) -> int:
        """Ledger ids up to the chain's last that no record has."""
        return max(self.last - self.seen, 0)

    @property
    def complete(self) -> bool:
        return not (self.unreadable or self.different)


def restore(
    *, first_block: int = 2, dry_run: bool = False, progress: Callable[[int], None] = lambda _: None
) -> Restored:
    """Read every irreversible block that holds records; repeats safely, loses nothing that is there.

    Beside running workers it is safe: ids are drawn above the chain's before anything else, and a transaction with an
    id that the chain has can never get in. Raises MasterKeyMissing, ChainError, or TpmError where the TPM is away;
    what was restored until then stays. `progress` hears how many records are done.
    """
    run = _Run(dry_run)
    state = run.view.chain.state()
    run.done.last = state.last
    if not dry_run:
        ids_above(max(state.last, _highest()))
    for block in walk(run.view.chain, first_block=first_block):
        for copies in copies_in(block, run.view.chain.account):
            run.transaction(copies)
            run.done.seen += len(copies)
            run.done.pruned += sum(copy.ledger_id <= state.floor for copy in copies)
            progress(len(copies))
    run.credits()
    if first_block <= 2 or state.since == 1:
        run.below_the_floor(state)
    if not dry_run:
        ids_above(max(run.view.chain.state().last, _highest()))
        hold.watch()
    return run.done


def _highest() -> int:
    return LedgerEntry.objects.aggregate(highest=Max("id"))["highest"] or 0


def _short(session: UUID) -> int:
    return session.int >> 64


class _Run:
    """One walk over the chain: what of each transaction is missing here, or in the way."""

    def __init__(self, dry_run: bool) -> None:
        self.view, self.done, self._opener, self._dry_run = View(), Restored(), Opener(), dry_run
        self._places, self._alone, self._seen_to = Places(), True, set[int]()
        self._came = array("Q")  # of a dry run, which leaves no other trace: half of each session's id

    def transaction(self, copies: Sequence[Copy]) -> None:
        """Bring back what one transaction recorded. Whoever closes a session meanwhile may be first: once more then."""
        found = LedgerEntry.objects.filter(pk__in=[copy.ledger_id for copy in copies]).select_related("transaction")
        here = {entry.pk: entry for entry in found.defer("transaction__packed", "canonical")}
        as_told = [copy for copy in copies if _same(here.get(copy.ledger_id), copy) == RECORDED]
        self.done.already_there += len(as_told)
        rest = [copy for copy in copies if _same(here.get(copy.ledger_id), copy) != RECORDED]
        opened = self._opener.open(rest)
        self._alone = not here and not _others(opened).exists()
        try:
            self._place_all(opened, here)
        except IntegrityError:
            self._alone = False
            here = {entry.pk: entry for entry in found.all()}
            for copy in opened:
                self._place_alone(copy, here)

    def _place_alone(self, copy: Copy, here: dict[int, LedgerEntry]) -> None:
        try:
            self._place_all([copy], here)
        except IntegrityError:  # such as another session that has its station's number
            self.done.different.append(copy.ledger_id)

    def _place_all(self, copies: Sequence[Copy], here: dict[int, LedgerEntry]) -> None:
        if not copies:
            return
        counted = Restored()
        try:
            with transaction.atomic():
                row = adopted_row(copies[0].block, copies[0].transaction, self.view)
                for copy in copies:
                    self._place(copy, here.get(copy.ledger_id), row, counted)
                transactions_recorded.send(sender=ChainTransaction, row=row)
                transaction.set_rollback(self._dry_run)
        except IntegrityError:
            self._places.forget()
            raise
        if self._dry_run:
            self._places.forget()
        self._count(counted)

    def _count(self, counted: Restored) -> None:
        for name in ("sessions", "adopted", "erased"):
            setattr(self.done, name, getattr(self.done, name) + getattr(counted, name))
        for name in ("renumbered", "closed_again", "unreadable", "different", "credits"):
            getattr(self.done, name).extend(getattr(counted, name))

    def _place(self, copy: Copy, entry: LedgerEntry | None, row: ChainTransaction, counted: Restored) -> None:
        """One record whose entry is not here, or not here as recorded."""
        self._seen_to |= {entry.pk} if entry else set()
        if entry and bytes(entry.digest) == copy.digest:
            LedgerEntry.objects.filter(pk=entry.pk).update(transaction=row, conflict="")
            alert_close("conflict", str(entry.pk))
            counted.adopted += 1
        elif entry and _recorded(entry):
            counted.different.append(copy.ledger_id)
        elif copy.content is None and not copy.erased:
            counted.unreadable.append(copy.ledger_id)  # and whoever has its id here waits: keys may be found
        elif entry and entry.session_id == copy.session_id:
            self._take_over(entry, copy, row, counted)
        else:
            if entry:
                counted.renumbered.append((entry.pk, self._renumber(entry)))
            self._bring(copy, row, counted)

    def _bring(self, copy: Copy, row: ChainTransaction, counted: Restored) -> None:
        """Its ledger id is free: the session comes back, unless it stands here under another id."""
        holder = None if self._alone else _holder(copy)
        if holder and (_recorded(holder) or self.view.chain.row(holder.pk) == bytes(holder.digest)):
            counted.different.append(copy.ledger_id)
        elif holder:
            self._take_over(holder, copy, row, counted)
        elif copy.erased:
            LedgerEntry.objects.create(**entry_values(copy, row))
            counted.erased += 1
        elif copy.credits and not ChargingSession.objects.filter(pk=copy.credits).exists():
            counted.credits.append(copy)
        else:
            self._create(copy, row, counted)

    def _create(self, copy: Copy, row: ChainTransaction, counted: Restored) -> None:
        assert copy.content is not None and copy.data_key is not None
        put = session_put(copy.content, copy.data_key, self._places)
        LedgerEntry.objects.create(**entry_values(copy, row, put=put))
        if self._dry_run:
            self._came.append(_short(UUID(copy.content["id"])))
        counted.sessions += 1

    def _take_over(self, entry: LedgerEntry, copy: Copy, row: ChainTransaction, counted: Restored) -> None:
        """It was open in the backup and its station reported its end again: what was recorded then counts."""
        self._seen_to.add(entry.pk)
        assert copy.content is not None and copy.data_key is not None
        values = entry_values(copy, row, put=session_put(copy.content, copy.data_key, self._places))
        LedgerEntry.objects.filter(pk=entry.pk).update(**values, conflict="", mismatch="")
        alert_close("conflict", str(entry.pk))
        counted.closed_again.append((entry.pk, copy.ledger_id))

    def _renumber(self, entry: LedgerEntry) -> int:
        """Give an entry that was never recorded a new id; no transaction with the old one can get in any more."""
        new = -entry.pk if self._dry_run else next_id()
        LedgerEntry.objects.filter(pk=entry.pk).update(id=new, transaction=None, conflict="", mismatch="")
        alert_close("conflict", str(entry.pk))
        alert_close("mismatch", f"entry {entry.pk}")
        return new

    def credits(self) -> None:
        """Credits were read before what they take back; a credit of what is not there cannot be stored."""
        for copy in self.done.credits:
            counted = Restored()
            with transaction.atomic():
                if copy.credits and ChargingSession.objects.filter(pk=copy.credits).exists():
                    row = adopted_row(copy.block, copy.transaction, self.view)
                    self._create(copy, row, counted)
                    transactions_recorded.send(sender=ChainTransaction, row=row)
                elif copy.credits and _short(copy.credits) in self._came:
                    counted.sessions += 1  # it came, and was rolled back
                else:
                    counted.unreadable.append(copy.ledger_id)
                transaction.set_rollback(self._dry_run)
            if self._dry_run:
                self._places.forget()
            self._count(counted)

    def below_the_floor(self, state: State) -> None:
        """Entries under ids that were never used and never will be, as the contract pruned beyond them: new ids.

        Only where every record was seen, those of the newest blocks too.
        """
        try:
            newest = [self.view.block(num) for num in state.heads if num > self.view.info.lib_num]
        except ChainRefused:
            return  # they changed meanwhile: the next run sees to it
        account = self.view.chain.account
        coming = {copy.ledger_id for block in newest for copies in copies_in(block, account) for copy in copies}
        waiting = Q(transaction=None) | Q(transaction__status__in=WAITING)
        stuck = LedgerEntry.objects.filter(waiting, pk__lte=state.floor)
        stuck = stuck.exclude(pk__in=coming.union(self.done.unreadable, self._seen_to))
        for entry in stuck.iterator():
            with transaction.atomic():
                self.done.renumbered.append((entry.pk, self._renumber(entry)))
                transaction.set_rollback(self._dry_run)


def _recorded(entry: LedgerEntry) -> bool:
    return entry.transaction is not None and entry.transaction.status == RECORDED


def _same(entry: LedgerEntry | None, copy: Copy) -> str | None:
    """The state of the entry where it is what the chain holds."""
    return entry.state if entry and bytes(entry.digest) == copy.digest else None


def _holder(copy: Copy) -> LedgerEntry | None:
    """Who stands here under another ledger id for the same session, or with the same digest."""
    return _others([copy]).select_related("transaction").order_by("-session").first()


def _others(copies: Sequence[Copy]) -> QuerySet[LedgerEntry]:
    sessions = [copy.session_id for copy in copies if copy.session_id]
    same = Q(session__in=sessions) | Q(digest__in=[copy.digest for copy in copies])
    return LedgerEntry.objects.filter(same).exclude(pk__in=[copy.ledger_id for copy in copies])
