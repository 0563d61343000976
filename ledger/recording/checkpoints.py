"""A checkpoint of the log as what a transaction carries: what it says, whether it may go out, what became of it.

Its transaction is signed, sent and confirmed as all others; where those look at their entries, this is asked instead.
"""

from typing import TYPE_CHECKING

from django.db import transaction

from ledger.chain.checkpoints import CheckpointData
from ledger.chain.node import LogRow, chain
from ledger.errors import ChainUnreachable, DatabaseBehind, LogDiffers
from ledger.models import ChainTransaction, LogCheckpoint

if TYPE_CHECKING:
    from ledger.chain.view import View

S = ChainTransaction.Status
SUBJECT = "log"  # of alerts


def checkpoint_of(row: ChainTransaction) -> LogCheckpoint | None:
    """The checkpoint that this transaction carries; None where it carries records."""
    return LogCheckpoint.objects.filter(transaction=row).first()


def data_of(checkpoint: LogCheckpoint) -> CheckpointData:
    """What the chain is told."""
    late = tuple(map(int, checkpoint.late))
    return CheckpointData(checkpoint.size, bytes(checkpoint.root), checkpoint.upto_block, late)


def chain_has(checkpoint: LogCheckpoint, found: LogRow) -> bool:
    """Whether the chain has it already; False where it has the one before.

    Raises DatabaseBehind where the chain's log is larger than ours, LogDiffers where it has another root, and
    ChainUnreachable where it is smaller: a node that is behind.
    """
    if found.size > checkpoint.size:
        text = f"the chain's log has {found.size} leaves, that of the database {checkpoint.size}"
        raise DatabaseBehind(text, SUBJECT)
    if found.size == checkpoint.size:
        _same_root(found, bytes(checkpoint.root))
        return True
    if found.size > checkpoint.old_size:
        text = f"the chain's log has {found.size} leaves, a size that it never had in the database"
        raise LogDiffers(text, SUBJECT)
    if found.size < checkpoint.old_size:
        text = f"the chain's log has {found.size} leaves as a node says, and had {checkpoint.old_size} already"
        raise ChainUnreachable(text)
    if found.size:
        before = LogCheckpoint.objects.filter(size=found.size).values_list("root", flat=True).first()
        _same_root(found, bytes(before) if before is not None else b"")
    return False


def _same_root(found: LogRow, root: bytes) -> None:
    if found.root != root:
        text = (
            f"of {found.size} leaves the chain's log has the root {found.root.hex()}, that of the database {root.hex()}"
        )
        raise LogDiffers(text, SUBJECT)


def may_go(row: ChainTransaction, checkpoint: LogCheckpoint) -> bool:
    """Whether this transaction, which nobody has signed yet, may go out; it is over where the chain has it already."""
    if not chain_has(checkpoint, chain().log()):
        return True
    with transaction.atomic():
        ChainTransaction.objects.filter(pk=row.pk, status=S.BATCHED).update(status=S.EXPIRED, claimed_until=None)
        release(checkpoint)
    return False


def release(checkpoint: LogCheckpoint) -> None:
    """Its transaction never got in: another one will carry it, the same size and root."""
    LogCheckpoint.objects.filter(pk=checkpoint.pk, published_at__isnull=True).update(transaction=None)


def block_of(checkpoint: LogCheckpoint, view: "View") -> int | None:
    """The block that the contract says it is in; None where it says none, or has a later one by now."""
    found = view.chain.log()
    is_it = (found.size, found.root) == (checkpoint.size, bytes(checkpoint.root))
    return found.block if is_it else None


def is_on_chain(checkpoint: LogCheckpoint, view: "View") -> bool:
    """Whether the contract's row is this one, or a later one."""
    found = view.chain.log()
    return found.size > checkpoint.size or (found.size, found.root) == (checkpoint.size, bytes(checkpoint.root))
