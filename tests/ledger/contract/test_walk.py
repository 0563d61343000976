"""The list of blocks with records, walked from its end: every record, each block once, and nothing else read."""

from collections.abc import Sequence

import pytest

from dev.chain.nodeos import Nodeos
from ledger.chain.node import Block, Chain
from ledger.chain.walk import record_data, walk
from ledger.errors import ChainError
from tests.ledger.contract.conftest import FIRST_CONTRACT
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, make_records, pack_records
from tests.ledger.contract.test_reading import chain_of


class Counting(Chain):
    """A chain that remembers which blocks were read of it."""

    def __init__(self, node: Nodeos, account: str) -> None:
        super().__init__([node.url], account=account, chain_id=node.info()["chain_id"])
        self.read_blocks: list[int] = []

    def block(self, num: int) -> Block:
        self.read_blocks.append(num)
        return super().block(num)


def ids(blocks: Sequence[Block], account: str) -> list[int]:
    return [item[0] for block in blocks for data in record_data(block, account) for item in data.records]


def record_each(ledger: LedgerAccount, records: Sequence[Rec], *, name_heads: bool = True) -> list[int]:
    """Each record in a block of its own, which names all blocks before it that nothing has named."""
    blocks: list[int] = []
    for record in records:
        blocks.append(ledger.record_naming(record, ledger.heads() if name_heads and blocks else blocks[-1:]))
    return blocks


def test_every_block_with_records_is_found_and_no_other_read(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    blocks = record_each(ledger, make_records(1, 4))
    assert ledger.heads() == blocks[-1:]
    contract_node.wait_for_block(blocks[-1])
    node = Counting(contract_node, ledger.name)
    found = list(walk(node))
    assert [block.num for block in found] == blocks[::-1]
    assert node.read_blocks == blocks[::-1]
    assert ids(found, ledger.name) == [4, 3, 2, 1]
    assert [block.num for block in walk(node, first_block=blocks[2])] == blocks[:1:-1]


def test_heads_that_nothing_named_are_found_too(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    first = ledger.record_naming(Rec(1, "one"), [])
    second = ledger.record_naming(Rec(2, "two"), [first - 1, first])
    third = ledger.record_naming(Rec(3, "three"), [first, first + 1])  # names twice, and what holds no records
    contract_node.wait_for_block(third)
    found = list(walk(chain_of(ledger, contract_node)))
    assert [block.num for block in found] == sorted({first, second, third}, reverse=True)


def test_what_a_reversible_block_names_is_not_missed(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    first = ledger.record_naming(Rec(1, "one"), [])
    contract_node.wait_for_block(first)
    second = ledger.record_naming(Rec(2, "two"), [first])
    found = [block.num for block in walk(chain_of(ledger, contract_node))]  # the second may be irreversible by now
    assert found in ([first], [second, first])


def test_an_upgraded_chain_is_walked_into_the_time_without_a_list(empty: LedgerAccount, contract_node: Nodeos) -> None:
    empty.bootstrap(FIRST_CONTRACT)
    old = [empty.record_packed(pack_records([record]))["block_num"] for record in make_records(1, 2)]
    empty.bootstrap()
    contract_node.wait_for_block(old[-1])
    chain = chain_of(empty, contract_node)
    assert sorted(ids(list(walk(chain, first_block=old[0])), empty.name)) == [1, 2], "before anything new is recorded"
    new = record_each(empty, make_records(3, 5), name_heads=False)
    contract_node.wait_for_block(new[-1])
    found = list(walk(chain, first_block=old[0]))
    assert [block.num for block in found] == sorted({*old, *new}, reverse=True)
    assert sorted(ids(found, empty.name)) == [1, 2, 3, 4, 5]


def test_a_ledger_without_records_has_no_blocks(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    assert list(walk(chain_of(ledger, contract_node))) == []


def test_a_node_that_hides_a_block_is_no_shorter_list(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    class Hiding(Counting):
        def block(self, num: int) -> Block:
            found = super().block(num)
            return Block(found.num, found.id, found.time, {}) if num == block_num else found

    block_num = ledger.record_naming(Rec(1, "one"), [])
    contract_node.wait_for_block(block_num)
    with pytest.raises(ChainError, match=f"block {block_num} holds records as the contract says"):
        list(walk(Hiding(contract_node, ledger.name)))
