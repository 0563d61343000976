"""The chain as one pass over it sees it: what it was asked for once, and no block twice."""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from ledger.chain.node import Block, Chain, chain
from ledger.chain.nodes import Info
from ledger.errors import BlockUnavailable


class View:
    """The chain as one pass of confirmations sees it: info once, each block once."""

    def __init__(self, node: Chain | None = None) -> None:
        self.chain = node or chain()
        self._blocks: dict[int, Block] = {}

    @cached_property
    def info(self) -> Info:
        return self.chain.info()

    def block(self, num: int) -> Block:
        """An irreversible block is read once; a reversible one may be another the next time."""
        if num not in self._blocks:
            block = self.chain.block(num)
            if num > self.info.lib_num:
                return block
            if len(self._blocks) > 64:
                self._blocks.clear()
            self._blocks[num] = block
        return self._blocks[num]

    def irreversible_blocks(self, first: int) -> Iterator[Block]:
        for num in range(max(first, 2), self.info.lib_num + 1):
            yield self.block(num)


def first_block_at(view: View, moment: datetime) -> int:
    """The first irreversible block at or after `moment` (aware UTC), by bisection: blocks are in the order of time.

    Blocks that no node has any more are older than those that there are.
    """
    low, high = max(2, view.chain.earliest_num(view.info)), view.info.lib_num
    while low < high:
        middle = (low + high) // 2
        try:
            before = view.chain.block(middle).time < moment
        except BlockUnavailable:
            before = True
        if before:
            low = middle + 1
        else:
            high = middle
    return low
