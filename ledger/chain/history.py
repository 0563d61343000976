"""All that was ever recorded, against the contract's table: who swapped the contract for a moment is seen.

The contract lets no id be recorded twice, and no row go without a prune. Blocks cannot be altered; so an id that two
`record` actions name, a row that is gone above the floor, a row that says something else than its block, and a row that
no block tells of are traces of another contract (P15), or of a node that lies.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ledger.chain.node import Block, Chain
from ledger.chain.records import rows_of
from ledger.chain.walk import record_data, walk

PAGE_BITS = 10
BLOCK_S = 0.5


class HistoryFinding(NamedTuple):
    """As an audit reports it (audit.Finding): `kind` is "different", "missing" or "unknown"."""

    kind: str
    ledger_id: int
    session: str
    message: str


def history_findings(
    node: Chain,
    progress: Callable[[int], None] = lambda _: None,
    *,
    first_block: int = 2,
    every_block: bool = False,
) -> Iterator[HistoryFinding]:
    """Walk all irreversible records; `progress` hears how many more were looked at. Raises ChainError.

    The list of blocks is the contract's, so another contract may have cut it: `every_block` reads them all.
    """
    lib_num, seen = node.info().lib_num, _Seen()
    for block in _every_block(node, lib_num, first_block) if every_block else walk(node, first_block=first_block):
        records = [item[:2] for data in record_data(block, node.account) for item in data.records]
        if records:
            yield from _of_block(node, block, records[::-1], seen)
            progress(len(records))
    if first_block <= 2:
        yield from _rows_of_no_block(node, seen, lib_num)


class _Seen:
    """Ledger ids, a bit each: they are mostly neighbours."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = defaultdict(int)

    def add(self, ledger_id: int) -> bool:
        """Whether it was there already."""
        page, bit = ledger_id >> PAGE_BITS, 1 << (ledger_id & ((1 << PAGE_BITS) - 1))
        there = bool(self._pages[page] & bit)
        self._pages[page] |= bit
        return there


def _every_block(node: Chain, lib_num: int, first_block: int) -> Iterator[Block]:
    for num in range(lib_num, first_block - 1, -1):
        yield node.block(num)


def _of_block(node: Chain, block: Block, records: Iterable[tuple[int, bytes]], seen: _Seen) -> Iterator[HistoryFinding]:
    """The newest record of an id comes first, and is the one that the table should hold."""
    rows = rows_of(node, sorted({ledger_id for ledger_id, _ in records}))
    for ledger_id, digest in records:
        row, told = rows.get(ledger_id), f"block {block.num} recorded digest {digest.hex()}"
        if seen.add(ledger_id):
            yield HistoryFinding("different", ledger_id, "", f"{told}, and the id was recorded a second time after it")
        elif row is None and ledger_id > node.state().floor:
            yield HistoryFinding("missing", ledger_id, "", f"{told}, and the row is gone though it was never pruned")
        elif row not in (None, digest):
            yield HistoryFinding("different", ledger_id, "", f"{told}, and the row holds {row.hex() if row else row}")


def _rows_of_no_block(node: Chain, seen: _Seen, lib_num: int) -> Iterator[HistoryFinding]:
    """Rows that no irreversible block tells of, but for those that have only just been recorded."""
    untold = {ledger_id: digest for ledger_id, digest in node.rows_iter() if not seen.add(ledger_id)}
    if untold:
        made = node.info().head_block_num + 1  # a node's rows are those of the block that it is making
        while (head := node.info().head_block_num) < made:
            time.sleep(BLOCK_S)
        for num in range(lib_num + 1, head + 1):
            for data in record_data(node.block(num), node.account):
                for ledger_id, _, _ in data.records:
                    untold.pop(ledger_id, None)
    for ledger_id, digest in untold.items():
        yield HistoryFinding("unknown", ledger_id, "", f"the row holds digest {digest.hex()}, which no block recorded")
