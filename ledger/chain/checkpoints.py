"""PURE: the data of `evledger::checkpoint`, and what a transaction of a block says of the log."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain import antelope
from ledger.chain.block import BlockTransaction

ACTION = "checkpoint"


@dataclass(frozen=True, slots=True)
class CheckpointData:
    """What one `checkpoint` action says: size and root of the log, up to which block, and what was found late."""

    size: int
    root: bytes
    upto: int
    late: tuple[int, ...] = ()

    def pack(self) -> bytes:
        """`uint64 size, checksum256 root, uint32 upto, uint64[] late`."""
        if len(self.root) != 32:
            raise antelope.AntelopeError(f"root: expected 32 bytes, got {len(self.root)}")
        late = antelope.varuint_pack(len(self.late)) + b"".join(_uint(number, 8) for number in self.late)
        return _uint(self.size, 8) + self.root + _uint(self.upto, 4) + late

    @classmethod
    def unpack(cls, data: bytes) -> "CheckpointData":
        """The inverse of `pack`; raises AntelopeError for anything else."""
        reader = antelope.Reader(data)
        size, root, upto = reader.uint(8), reader.take(32), reader.uint(4)
        late = tuple(reader.uint(8) for _ in range(reader.varuint()))
        reader.end()
        return cls(size, root, upto, late)


def _uint(value: int, size: int) -> bytes:
    if not 0 <= value < 1 << 8 * size:
        raise antelope.AntelopeError(f"expected 0 to 2^{8 * size}-1, got {value}")
    return value.to_bytes(size, "little")


def checkpoint_action(data: CheckpointData, account: str) -> antelope.Action:
    """By the permission that records."""
    return antelope.Action(account, ACTION, (antelope.Authorization(account, "record"),), data.pack())


def checkpoints_of(packed: bytes, account: str) -> list[CheckpointData]:
    """What the `checkpoint` actions of this account say in a packed transaction."""
    try:
        actions: Sequence[antelope.Action] = antelope.Transaction.unpack(packed).actions
        data = [action.data for action in actions if (action.account, action.name) == (account, ACTION)]
        return [CheckpointData.unpack(part) for part in data]
    except antelope.AntelopeError:
        return []  # somebody else's transaction of a form that we never make


def checkpoints_in(found: BlockTransaction, account: str) -> list[CheckpointData]:
    """The same of an executed transaction of a block; nothing of one that was not executed."""
    return checkpoints_of(found.packed, account) if found.status == "executed" and not found.deferred_id else []
