"""The next leaves of the log: which records, in which order, and the checkpoint over them.

All records of ours in irreversible blocks up to a horizon, by block, transaction and place in it; so that the order
follows from the chain alone. The horizon is a block at or below which nothing of ours can still come: the last
irreversible one, asked before the database is read, and no block that a transaction on its way could still be in. What
is found of older blocks all the same (adopted, restored) comes last, and the checkpoint names it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Min, QuerySet

from common import clock
from common.database.updating import columns_update
from ledger.chain import antelope
from ledger.errors import LogDiffers
from ledger.log import store
from ledger.log.tree import leaf
from ledger.models import ChainTransaction, LedgerEntry, LogCheckpoint

S = ChainTransaction.Status
ON_THEIR_WAY = (S.SIGNED, S.SENT, S.IN_BLOCK, S.DEFERRED)
LEAVES_MAX = 10_000  # of one checkpoint; the records of one block stay together
LATE_MAX = 1_000  # named by one action


@dataclass(frozen=True)
class Place:
    """Where a record stands on the chain; the order of leaves is that of these."""

    block_num: int
    transaction_id: str
    position: int
    ledger_id: int
    digest: bytes

    @property
    def key(self) -> tuple[int, str, int]:
        return self.block_num, self.transaction_id, self.position


def horizon(lib_num: int) -> int:
    """Up to which block nothing of ours can come any more; `lib_num` was read before the database."""
    waiting = ChainTransaction.objects.filter(status__in=ON_THEIR_WAY, checkpoint__isnull=True)
    oldest = waiting.aggregate(first=Min("ref_block_num"))["first"]
    return lib_num if oldest is None else min(lib_num, oldest)


def is_anything_new() -> bool:
    """Whether there is a record that is no leaf yet; asked each time somebody looks."""
    return _not_in_log().exists()


def build(last: LogCheckpoint | None, lib_num: int) -> LogCheckpoint | None:
    """Commit the next checkpoint with its leaves; None where there is nothing new, or another worker was first.

    `last` is the newest one, and published. Raises LogDiffers where the tiles are not its own.
    """
    try:
        with transaction.atomic():
            return _build(last, lib_num)
    except IntegrityError:
        if LogCheckpoint.objects.filter(old_size=last.size if last else 0).exists():
            return None  # the other one's
        raise


def _build(last: LogCheckpoint | None, lib_num: int) -> LogCheckpoint | None:
    size, before = (last.size, last.upto_block) if last else (0, 0)
    upto = horizon(lib_num)
    if upto < before:
        return None  # something of before is still on its way
    fresh, upto = _fresh(before, upto)
    late = _late(before)
    places = [*fresh, *late]
    if not places:
        return None
    checkpoint = LogCheckpoint.objects.create(
        size=size + len(places),
        old_size=size,
        root=bytes(store.HASH_BYTES),  # in a moment
        upto_block=upto,
        late=[place.ledger_id for place in late],
        made_at=clock.now(),
    )
    growth = store.append(size, [leaf(place.ledger_id, place.digest) for place in places])
    number({place.ledger_id: size + at for at, place in enumerate(places)})
    checkpoint.root = growth.root
    checkpoint.save(update_fields=["root"])
    return checkpoint


def number(places: Mapping[int, int]) -> None:
    """Tell entries (by ledger id) which leaves they are; raises LogDiffers where one is gone."""
    keys = sorted(places)  # rows are locked in one order by everybody
    done = columns_update(LedgerEntry, keys, {"log_index": [places[key] for key in keys]})
    if done != len(keys):
        raise LogDiffers(f"{len(keys)} leaves, and {done} entries for them", store.SUBJECT)


def _not_in_log() -> QuerySet[LedgerEntry]:
    """What is recorded and no leaf yet."""
    # `transaction` once more, as the partial index has it: asked each second, and mostly of nothing
    missing = LedgerEntry.objects.filter(log_index__isnull=True, transaction__isnull=False)
    return missing.filter(transaction__status=S.IRREVERSIBLE, conflict="")


def _late(before: int) -> list[Place]:
    """The records of blocks up to `before` that were found late. One that is a leaf already is only told which."""
    found = _places(_not_in_log().filter(transaction__block_num__lte=before)[:LATE_MAX])
    leaves = {leaf(place.ledger_id, place.digest): place.ledger_id for place in found}
    there = {leaves[each]: index for index, each in store.find(leaves)} if found else {}
    number(there)
    return [place for place in found if place.ledger_id not in there]


def _fresh(before: int, upto: int) -> tuple[list[Place], int]:
    """The records above block `before`, as many as a checkpoint takes; and up to which block these are all."""
    entries = _not_in_log().filter(transaction__block_num__gt=before, transaction__block_num__lte=upto)
    ordered = entries.order_by("transaction__block_num")
    beyond = ordered.values_list("transaction__block_num", flat=True)[LEAVES_MAX : LEAVES_MAX + 1]
    if cut := next(iter(beyond), None):
        last = max(cut - 1, _first_block(entries))
        upto = min(upto, last)
        entries = entries.filter(transaction__block_num__lte=upto)
    return _places(entries), upto


def _first_block(entries: QuerySet[LedgerEntry]) -> int:
    """One block's records are never parted, however many they are."""
    return int(entries.aggregate(first=Min("transaction__block_num"))["first"])


def _places(entries: QuerySet[LedgerEntry]) -> list[Place]:
    """Of these entries, in the log's order. What their transactions say counts, and not what stands in the entries:
    one that was altered to look like another's is no leaf until it is put right.
    """
    rows = list(entries.values_list("pk", "transaction_id"))
    carried = _carried({carrier for _, carrier in rows})
    places = (carried.get(carrier, {}).get(pk) for pk, carrier in rows)
    return sorted((place for place in places if place is not None), key=lambda place: place.key)


def _carried(ids: Iterable[int | None]) -> dict[int | None, dict[int, Place]]:
    """Of each transaction its records by ledger id."""
    rows = ChainTransaction.objects.filter(pk__in=list(ids)).values_list("pk", "block_num", "transaction_id", "packed")
    found: dict[int | None, dict[int, Place]] = {}
    for pk, block_num, transaction_id, packed in rows:
        if packed and block_num and antelope.transaction_id(bytes(packed)).hex() == transaction_id:
            places = places_of(bytes(packed), block_num, transaction_id)
            found[pk] = {place.ledger_id: place for place in places}
    return found


def places_of(packed: bytes, block_num: int, transaction_id: str) -> list[Place]:
    """The records that the `record` actions of our account put on the chain by this transaction, in their order."""
    actions = antelope.Transaction.unpack(packed).actions
    ours = [action.data for action in actions if (action.account, action.name) == (settings.LEDGER_ACCOUNT, "record")]
    records = [record for data in ours for record in antelope.unpack_records(data)]
    return [
        Place(block_num, transaction_id, position, ledger_id, digest)
        for position, (ledger_id, digest, _) in enumerate(records)
    ]
