"""All blocks that hold our records, without reading those that do not: the contract keeps them as a list.

The contract's `heads` are blocks that hold records and that no later `record` action has named; each action names such
blocks. So whoever starts at the heads and follows the names has seen every record, by the contract's own rule. What the
first contract recorded (below `since`) is in no list: there the blocks are read one after the other.
"""

import heapq
import time
from collections.abc import Iterator

from ledger.chain import antelope
from ledger.chain.node import Block, Chain, State
from ledger.chain.records import record_data_in
from ledger.errors import ChainError, ChainRefused

ATTEMPTS = 20  # a chain that changes its newest blocks oftener than that is not to be read
BLOCK_S = 0.5


def walk(node: Chain, *, first_block: int = 2) -> Iterator[Block]:
    """Every irreversible block from `first_block` on that holds records of the node's account, once, newest first."""
    state, lib_num, named = _start(node)
    before = lib_num + 1
    while named and (num := -heapq.heappop(named)) >= first_block:
        if num >= before:
            continue  # named twice
        before = num
        block = node.block(num)
        found = record_data(block, node.account)
        _name(named, found)
        if found:
            yield block
        elif num in state.heads:
            raise ChainError(f"block {num} holds records as the contract says, and none as the node says")
    for num in range(_unlisted_below(state, lib_num) - 1, first_block - 1, -1):
        block = node.block(num)
        if record_data(block, node.account):
            yield block


def record_data(block: Block, account: str) -> list[antelope.RecordData]:
    """What the `record` actions of this account say in the block."""
    return [data for found in block.transactions.values() for data in record_data_in(found, account)]


def _start(node: Chain) -> tuple[State, int, list[int]]:
    """The contract's row, the last irreversible block, and as a heap (of negative numbers) what is named above it.

    Heads that may still go away are read, too: what they name has left the contract's row.
    """
    for _ in range(ATTEMPTS):
        state, lib_num = node.state(), node.info().lib_num
        named = [-num for num in state.heads]
        heapq.heapify(named)
        try:
            _read_reversible(node, named, lib_num, state)
        except _NotYet:
            time.sleep(BLOCK_S)
        else:
            return state, lib_num, named
    raise ChainError(f"the newest blocks changed {ATTEMPTS} times while they were read")


def _read_reversible(node: Chain, named: list[int], lib_num: int, state: State) -> None:
    before = None
    while named and -named[0] > lib_num:
        num = -heapq.heappop(named)
        if num == before:
            continue
        before = num
        try:
            found = record_data(node.block(num), node.account)
        except ChainRefused as error:  # a node's tables are those of the block that it is making
            raise _NotYet from error
        if not found and num in state.heads:
            raise _NotYet  # the chain went another way since
        _name(named, found)


class _NotYet(Exception):
    """The block of a head is not made yet, or another one is in its place."""


def _name(named: list[int], found: list[antelope.RecordData]) -> None:
    for data in found:
        for num in data.blocks:
            heapq.heappush(named, -num)


def _unlisted_below(state: State, lib_num: int) -> int:
    """Records in blocks below this one may be in no list."""
    if state.since == 0:  # nothing is recorded under this contract
        return lib_num + 1 if state.last else 0
    return min(state.since, lib_num + 1) if state.since > 1 else 0
