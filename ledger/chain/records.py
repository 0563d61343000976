"""What the chain holds of our records: in a transaction of a block, and as rows of the contract's table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.chain import antelope
from ledger.chain.block import BlockTransaction

if TYPE_CHECKING:
    from ledger.chain.node import Chain


def record_data_in(found: BlockTransaction, account: str) -> list[antelope.RecordData]:
    """What the `record` actions of this account say in an executed transaction."""
    if found.status != "executed" or found.deferred_id:
        return []
    try:
        actions = antelope.Transaction.unpack(found.packed).actions
        data = [action.data for action in actions if (action.account, action.name) == (account, "record")]
        return [antelope.unpack_record_data(part) for part in data]
    except antelope.AntelopeError:
        return []  # somebody else's transaction of a form that we never make


def records_in(found: BlockTransaction, account: str) -> list[antelope.Record]:
    """The records that an executed transaction put on this account's ledger."""
    return [item for data in record_data_in(found, account) for item in data.records]


def rows_of(node: "Chain", ids: Sequence[int]) -> dict[int, bytes]:
    """The rows of these ledger ids (ascending), read in runs: a batch's ids are mostly neighbours."""
    rows: dict[int, bytes] = {}
    first = last = ids[0]
    for ledger_id in [*ids[1:], None]:
        if ledger_id is not None and ledger_id - last < 50:
            last = ledger_id
            continue
        rows |= node.rows(first, last)
        if ledger_id is not None:
            first = last = ledger_id
    wanted = set(ids)
    return {ledger_id: digest for ledger_id, digest in rows.items() if ledger_id in wanted}
