"""The portal's own eyes on the contract: its row, its marks, and what the first contract left behind."""

import pytest

from dev.chain.nodeos import Nodeos
from ledger.chain.node import Chain, State
from ledger.chain.records import records_in
from ledger.record import credit_mark
from tests.ledger.contract.conftest import FIRST_CONTRACT
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, digest_of, make_records, pack_data, pack_records


def chain_of(ledger: LedgerAccount, node: Nodeos) -> Chain:
    return Chain([node.url], account=ledger.name, chain_id=node.info()["chain_id"])


def test_the_state_is_read_whole(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    chain = chain_of(ledger, contract_node)
    assert chain.state() == State()
    block = ledger.record_naming(Rec(3, "three"), [])
    assert chain.state() == State(floor=0, count=1, last=3, since=1, heads=(block,))


def test_a_credit_is_found_from_salt_and_digest_of_its_original(ledger: LedgerAccount, contract_node: Nodeos) -> None:
    chain = chain_of(ledger, contract_node)
    mark = credit_mark(bytes(32), digest_of("original"))
    assert chain.marked_id_of(mark) is None
    ledger.record_packed(pack_data([Rec(7, "credit")], [], [(7, mark)]))
    assert (chain.marked_id_of(mark), chain.mark_of(7), chain.mark_of(8)) == (7, mark, None)
    assert chain.marked_id_of(credit_mark(bytes([1]) * 32, digest_of("original"))) is None


@pytest.mark.parametrize("upgraded", [False, True])
def test_what_the_first_contract_recorded_stays_readable(
    empty: LedgerAccount, contract_node: Nodeos, upgraded: bool
) -> None:
    empty.bootstrap(FIRST_CONTRACT)
    records = make_records(1, 3)
    block = empty.record_packed(pack_records(records))["block_num"]
    if upgraded:
        empty.bootstrap()
    chain = chain_of(empty, contract_node)
    assert chain.state() == State(floor=0, count=3, last=3)
    assert chain.rows(1, 3) == {record.id: record.digest for record in records}
    assert (chain.mark_of(1), chain.marked_id_of(bytes(32))) == (None, None)
    contract_node.wait_for_block(block)
    found = [item for entry in chain.block(block).transactions.values() for item in records_in(entry, empty.name)]
    assert found == [(record.id, record.digest, record.sealed) for record in records]
