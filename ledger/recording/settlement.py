"""What became of a sent transaction: confirm (it is in), settle (its time is over), adopt (the rows were there).

IRREVERSIBLE is said only after the block, at or below LIB, was read again and holds the transaction, and the rows
were read again and hold our digests. A second transaction for the same entries is built only when the chain's
irreversible time is past the first one's expiration and the rows are absent.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from django.db import transaction

from common import clock
from ledger.alerts import alert_close, alert_raise, alerts_close
from ledger.chain.node import Status
from ledger.chain.records import records_in, rows_of
from ledger.chain.view import View, first_block_at
from ledger.errors import BlockUnavailable, ChainError
from ledger.models import Alert, ChainTransaction, LedgerEntry
from ledger.recording.adopted import adopted_row
from ledger.recording.transactions import longest_wait, move, transaction_send
from ledger.signals import transactions_recorded

log = logging.getLogger(__name__)
S = ChainTransaction.Status
OPEN = (S.SIGNED, S.SENT, S.IN_BLOCK, S.DEFERRED)
LOOK_BACK = timedelta(minutes=5)  # clocks differ: an adopted record is looked for from this long before its entry


# --- confirm


def transaction_confirm(*, row: ChainTransaction, view: View) -> None:
    """One look at a SENT or IN_BLOCK transaction, and the step that follows from it."""
    assert row.transaction_id is not None and row.expires_at is not None
    if row.block_num is not None and row.block_num <= view.info.lib_num and _finalize(row, row.block_num, view):
        return  # the block that was told last time: no need to ask again, the block itself is read
    status = view.chain.status(row.transaction_id)
    num = _block_num(row, status, view)
    if num is not None and num <= view.info.lib_num:
        if _finalize(row, num, view):
            return
        # The block that was told is not the one that became irreversible: look once more without it.
        move(row, expected=OPEN, to=S.SENT, block_num=None, block_id="")
    elif num is not None:
        if row.status != S.IN_BLOCK or row.block_num != num:
            move(row, expected=OPEN, to=S.IN_BLOCK, block_num=num, block_id=view.block(num).id)
        return
    if not clock.is_due(row.retry_at, longest_wait()):
        return
    if view.info.lib_time > row.expires_at:
        transaction_settle(row=row, view=view)
    elif status.state != "LOCALLY_APPLIED":
        transaction_send(row=row)


def _block_num(row: ChainTransaction, status: Status, view: View) -> int | None:
    """Which block holds it: the node's word, else the stored block, else the rows (UNKNOWN is not a failure)."""
    if status.state in {"IN_BLOCK", "IRREVERSIBLE"}:
        return status.block_num
    if status.state != "UNKNOWN":
        return None
    if row.block_num is not None:
        return row.block_num
    entry = row.entries.order_by("id").first()
    if entry is None or view.chain.row(entry.pk) != bytes(entry.digest):
        return None
    return _search(row, view)


def _search(row: ChainTransaction, view: View) -> int | None:
    """The irreversible block with this transaction: after its reference block, before it expired."""
    assert row.transaction_id is not None and row.ref_block_num is not None and row.expires_at is not None
    for block in view.irreversible_blocks(row.ref_block_num + 1):
        if row.transaction_id in block.transactions:
            return block.num
        if block.time > row.expires_at:
            return None
    return None


def _finalize(row: ChainTransaction, num: int, view: View) -> bool:
    """IRREVERSIBLE, if the irreversible block `num` holds the executed transaction and the rows hold our digests."""
    assert row.transaction_id is not None
    block = view.block(num)
    found = block.transactions.get(row.transaction_id)
    if found is None or found.status != "executed":
        return False
    differing = _differing(row, view)
    if differing:
        message = f"transaction {row.transaction_id}: rows {differing[:5]} differ on the chain"
        alert_raise("mismatch", str(row.pk), message)
        return False
    with transaction.atomic():  # who wants to be told of it is told if, and only if, it is said
        moved = move(
            row,
            expected=OPEN,
            to=S.IRREVERSIBLE,
            block_num=num,
            block_id=block.id,
            irreversible_at=block.time,
            sent_at=row.sent_at or block.time,
            attempts=0,
            error_code="",
            error_message="",
        )
        if moved:
            transactions_recorded.send(sender=ChainTransaction, row=row)
    if moved:
        alert_close("mismatch", str(row.pk))
    return True


def _differing(row: ChainTransaction, view: View) -> list[int]:
    """Members whose row is not what was recorded. Rows at or below the floor were pruned, not altered."""
    digests = {pk: bytes(digest) for pk, digest in row.entries.values_list("id", "digest")}
    rows = rows_of(view.chain, sorted(digests))
    missing = [pk for pk, digest in digests.items() if rows.get(pk) != digest]
    if not missing:
        return []
    floor = view.chain.state().floor
    return [pk for pk in missing if pk in rows or pk > floor]


# --- settle


def transaction_settle(*, row: ChainTransaction, view: View) -> None:
    """The chain's irreversible time is past the expiration: this transaction is in for good, or never.

    Row by row: ours and in our transaction, IRREVERSIBLE; ours from another transaction, adopt it; absent, release
    the entry; another digest or an id below the floor, CONFLICT.
    """
    entries = list(row.entries.order_by("id"))
    rows = rows_of(view.chain, [entry.pk for entry in entries]) if entries else {}
    floor = view.chain.state().floor
    if any(entry.pk in rows or entry.pk <= floor for entry in entries):
        num = _search(row, view)
        if num is not None and _finalize(row, num, view):
            return
    absent = [entry for entry in entries if entry.pk not in rows and entry.pk > floor]
    present = [entry for entry in entries if rows.get(entry.pk) == bytes(entry.digest)]
    if present and not _adopt(present, view):
        move(row, expected=OPEN, to=row.status, retry_at=clock.now() + timedelta(seconds=5))
        return  # the rows' block is not irreversible yet
    others = [entry for entry in entries if entry not in absent and entry not in present]
    with transaction.atomic():
        for entry in others:
            _conflict(entry, rows.get(entry.pk), floor)
        _release(row, absent)
        move(row, expected=OPEN, to=S.CONFLICT if others and not absent else S.EXPIRED)


def _release(row: ChainTransaction, absent: Sequence[LedgerEntry]) -> None:
    """Ready again; after repeated CPU trouble as two halves that cost half as much each."""
    ids = [entry.pk for entry in absent]
    halves = [ids]
    if row.error_code == "cpu" and row.attempts >= 2 and len(ids) > 1:
        halves = [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
    for half in halves:
        half_row = ChainTransaction.objects.create() if len(halves) > 1 else None
        LedgerEntry.objects.filter(pk__in=half, transaction=row).update(transaction=half_row)


def _conflict(entry: LedgerEntry, found: bytes | None, floor: int) -> None:
    if found is None:
        reason = f"ledger id {entry.pk} is at or below the contract's floor {floor}"
    else:
        reason = f"ledger id {entry.pk}: expected digest {bytes(entry.digest).hex()[:16]}…, found {found.hex()[:16]}…"
    LedgerEntry.objects.filter(pk=entry.pk).update(conflict=reason)
    alert_raise("conflict", str(entry.pk), reason)


# --- adopt


def _adopt(entries: Sequence[LedgerEntry], view: View) -> bool:
    """Tie entries to the irreversible transactions that recorded them; False while one is not irreversible."""
    wanted = {entry.pk: bytes(entry.digest) for entry in entries}
    start = first_block_at(view, min(entry.opened_at for entry in entries) - LOOK_BACK)
    for block in view.irreversible_blocks(start):
        for found in block.transactions.values():
            ids = [i for i, digest, _ in records_in(found, view.chain.account) if wanted.get(i) == digest]
            if ids:
                with transaction.atomic():
                    row = adopted_row(block, found, view)
                    LedgerEntry.objects.filter(pk__in=ids).update(transaction=row, conflict="")
                    transactions_recorded.send(sender=ChainTransaction, row=row)
                for ledger_id in ids:
                    del wanted[ledger_id]
        if not wanted:
            return True
    if start > 2:
        view.block(start - 1)  # raises BlockUnavailable where they may lie in blocks that no node has any more
    return False


# --- everything that is open


def confirm_open(*, view: View | None = None, limit: int = 500) -> int:
    """Look at every SENT and IN_BLOCK transaction once; returns how many are open after it."""
    waiting = ChainTransaction.objects.filter(status__in=[S.SENT, S.IN_BLOCK]).order_by("id")
    rows = list(waiting.defer("packed")[:limit])  # 60 kB each, needed only where one is sent again
    if rows:
        view = view or View()
        try:
            for_each(rows, lambda row: transaction_confirm(row=row, view=view))
            alerts_close("chain_unreachable", "wrong_chain")
        except ChainError as error:
            alert_raise(error.alert, message=str(error))
    return waiting.count()


def for_each(rows: Iterable[ChainTransaction], step: Callable[[ChainTransaction], None]) -> None:
    """Take the step for each; one that waits for a block that no node has holds up no other. Raises ChainError."""
    taken, held = set(), set()
    for row in rows:
        try:
            step(row)
            taken.add(str(row.pk))
        except BlockUnavailable as error:
            held.add(str(row.pk))
            message = f"transaction {row.pk}, {row.transaction_id}, waits for a block that no node has: {error}"
            alert_raise(error.alert, str(row.pk), message)
    told = Alert.objects.filter(code=BlockUnavailable.alert, closed_at__isnull=True).exclude(subject="")
    for subject in set(told.values_list("subject", flat=True)) - held:
        waits = ChainTransaction.objects.filter(pk=subject, status__in=ChainTransaction.UNFINISHED)
        if subject in taken or not waits.exists():
            alert_close(BlockUnavailable.alert, subject)
