"""The log as the chain has it, built anew from there: the same leaves in the same order, so the same tiles and roots.

The leaves are the records that the chain holds, by block, transaction and place. Where the log took some late, the
chain's `checkpoint` actions name them; these are in no list, so every block is read for them, and only where without
them another root comes out. What comes out is compared with what the chain says, before anything here is changed.
"""

import time
from collections.abc import Iterator, Sequence

from django.db import transaction

from common import clock
from common.database.inserting import columns_insert
from ledger.alerts import alert_close
from ledger.chain.checkpoints import CheckpointData, checkpoints_in
from ledger.chain.node import Block, LogRow
from ledger.chain.records import records_in
from ledger.chain.view import View
from ledger.errors import ChainError, LedgerError
from ledger.log import store
from ledger.log.building import number
from ledger.log.checking import Growing
from ledger.log.tree import leaf, leaf_hash
from ledger.models import LedgerEntry, LogCheckpoint, LogTile
from ledger.recording.adopted import adopted_row

AT_ONCE = 5_000
IRREVERSIBLE_WITHIN_S = 600.0
POLL_S = 0.5


class Records:
    """The leaves of each block with records, as blocks are read: newest first, or in any order."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._blocks: dict[int, bytes] = {}

    def take(self, block: Block) -> None:
        """Keep its leaves, by transaction id and place."""
        found = [
            leaf(ledger_id, digest)
            for name in sorted(block.transactions)
            for ledger_id, digest, _ in records_in(block.transactions[name], self._account)
        ]
        if found:
            self._blocks[block.num] = b"".join(found)

    @property
    def first_block(self) -> int:
        return min(self._blocks, default=0)

    def leaves(self, above: int, upto: int) -> Iterator[bytes]:
        """Those of the blocks above one and up to another, in the log's order."""
        for num in sorted(num for num in self._blocks if above < num <= upto):
            yield from store.items_of(self._blocks[num], 0)

    def of(self, ledger_ids: Sequence[int]) -> dict[int, bytes]:
        """The leaves of these, by ledger id."""
        wanted = set(ledger_ids)
        every = (each for data in self._blocks.values() for each in store.items_of(data, 0))
        return {ledger_id: each for each in every if (ledger_id := id_of(each)) in wanted}


def id_of(each: bytes) -> int:
    """The ledger id of a leaf."""
    return int.from_bytes(each[:8], "big")


def rebuild(records: Records, *, dry_run: bool = False) -> int:
    """Make the log what the chain's last checkpoint says; returns of how many leaves it was made anew, 0: it was so.

    Raises LedgerError where that is not possible; then nothing is changed. Beside running workers it is safe: they
    sign nothing while the chain's log is another one.
    """
    view = View()
    found = view.chain.log()
    if found.size == 0:
        return 0
    if _is_here(found):
        if not dry_run:
            _number_known()
        return 0
    view = _irreversible(found, view)
    leaves = list(_leaves(records, found, view))
    if not dry_run:
        _write(leaves, found, view)
        alert_close("database_behind", store.SUBJECT)
        alert_close("log_differs", store.SUBJECT)
    return len(leaves)


def _is_here(found: LogRow) -> bool:
    here = LogCheckpoint.objects.filter(size=found.size, published_at__isnull=False).first()
    return (
        here is not None
        and bytes(here.root) == found.root
        and not LogCheckpoint.objects.filter(size__gt=found.size, published_at__isnull=False).exists()
    )


def _irreversible(found: LogRow, view: View) -> View:
    """The chain once its last checkpoint is irreversible."""
    end = time.monotonic() + IRREVERSIBLE_WITHIN_S
    while view.info.lib_num < found.block:
        if time.monotonic() > end:
            raise ChainError(f"block {found.block}, with the log's last checkpoint, is not irreversible yet")
        time.sleep(POLL_S)
        view = View()
    return view


def _leaves(records: Records, found: LogRow, view: View) -> Iterator[bytes]:
    leaves = list(records.leaves(0, found.upto))
    if len(leaves) == found.size and _root(leaves) == found.root:
        return iter(leaves)
    return iter(_named(records, found, view))


def _root(leaves: Sequence[bytes]) -> bytes:
    tree = Growing()
    for each in leaves:
        tree.add(leaf_hash(each))
    return tree.root


def _named(records: Records, found: LogRow, view: View) -> list[bytes]:
    """The same with what was taken late; each checkpoint's root is compared."""
    said = list(_said(records.first_block, found, view))
    late = records.of([ledger_id for data in said for ledger_id in data.late])
    tree, leaves, before = Growing(), [], 0
    for data in said:
        fresh = [each for each in records.leaves(before, data.upto) if id_of(each) not in late]
        added = [*fresh, *(late[ledger_id] for ledger_id in data.late if ledger_id in late)]
        for each in added:
            tree.add(leaf_hash(each))
        leaves += added
        before = data.upto
        if (tree.size, tree.root) != (data.size, data.root):
            raise LedgerError(
                f"the chain's checkpoint of {data.size} leaves has another root than its records give: a record up to "
                f"block {data.upto} was never in the log, or is read from no block"
            )
    if len(leaves) != found.size:
        raise LedgerError(f"the chain's checkpoints lead to {len(leaves)} leaves, its last one says {found.size}")
    return leaves


def _said(first_block: int, found: LogRow, view: View) -> Iterator[CheckpointData]:
    """Every `checkpoint` action from the first record on, in order."""
    for num in range(max(first_block, 2), found.block + 1):
        for other in view.block(num).transactions.values():
            yield from checkpoints_in(other, view.chain.account)


@transaction.atomic
def _write(leaves: Sequence[bytes], found: LogRow, view: View) -> None:
    growth = store.grown(0, leaves, [])
    if growth.root != found.root:
        raise LedgerError(f"the log's root is {growth.root.hex()}, the chain's {found.root.hex()}")
    LogTile.objects.all().delete()
    keys = list(growth.tiles)
    for at in range(0, len(keys), 256):
        some = {key: growth.tiles[key] for key in keys[at : at + 256]}
        levels, indices = zip(*some, strict=True)
        columns_insert(LogTile, {"level": levels, "index": indices, **store.columns(some)})
    LedgerEntry.objects.filter(log_index__isnull=False).update(log_index=None)
    number_leaves(leaves)
    _checkpoints_follow(leaves, found, view)


def number_leaves(leaves: Sequence[bytes], first: int = 0) -> None:
    """Tell the entries of these leaves which they are, as far as they are here as recorded."""
    for at in range(0, len(leaves), AT_ONCE):
        some = {id_of(each): (first + at + place, each) for place, each in enumerate(leaves[at : at + AT_ONCE])}
        known = LedgerEntry.objects.filter(pk__in=list(some)).values_list("pk", "digest").order_by("pk")
        mine = [pk for pk, digest in known if leaf(pk, bytes(digest)) == some[pk][1]]
        number({pk: some[pk][0] for pk in mine})


def _number_known() -> None:
    """Entries that came back, and are leaves already."""
    missing = LedgerEntry.objects.filter(log_index__isnull=True, transaction__isnull=False)
    wanted = {leaf(pk, bytes(digest)): pk for pk, digest in missing.values_list("pk", "digest")}
    for index, each in store.find(wanted) if wanted else ():
        number({wanted[each]: index})


def _checkpoints_follow(leaves: Sequence[bytes], found: LogRow, view: View) -> None:
    """Keep those that have the root of their leaves, and add the chain's last one, published."""
    roots, tree = {}, Growing()
    sizes = set(LogCheckpoint.objects.values_list("size", flat=True))
    for each in leaves:
        tree.add(leaf_hash(each))
        if tree.size in sizes:
            roots[tree.size] = tree.root
    before = 0
    for row in list(LogCheckpoint.objects.order_by("size")):
        kept = row.published_at is not None or row.size == found.size
        if not kept or roots.get(row.size) != bytes(row.root):
            row.delete()
            continue
        LogCheckpoint.objects.filter(pk=row.pk).update(old_size=before)
        before = row.size
    block = view.block(found.block)
    for other in block.transactions.values():
        for data in checkpoints_in(other, view.chain.account):
            if (data.size, data.root) == (found.size, found.root):
                values = {"transaction": adopted_row(block, other, view), "published_at": clock.now()}
                new = {"old_size": before, "root": data.root, "upto_block": data.upto, "late": list(data.late)}
                LogCheckpoint.objects.update_or_create(
                    size=data.size, defaults=values, create_defaults={**values, **new}
                )
                return
    raise ChainError(f"block {found.block} has no checkpoint of {found.size} leaves, as the contract says")
