"""A development chain's contract: its pins do not follow whoever changes it, and it is upgraded, then given away."""

import pytest

from dev.chain.setup import CODE_HASH, CODE_UPDATED, contract_pins, set_code
from dev.chain.transactions import ChainError, call
from ledger.chain.holders import replaceable_by
from tests.ledger.contract.conftest import FIRST_CONTRACT, contract_node, empty, ledger
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, make_records, pack_records
from tests.waiting import until

__all__ = ["contract_node", "empty", "ledger"]  # fixtures


def test_pins_stay_when_the_contract_was_taken_away_and_put_back(ledger: LedgerAccount) -> None:
    first = contract_pins(ledger.url, {}, ledger.name)
    block = ledger.record_naming(Rec(1, "one"), [])
    until(lambda: call(ledger.url, "chain/get_info")["head_block_num"] > block)  # the change has a time of its own
    ledger.push(set_code(ledger.name, (FIRST_CONTRACT / "evledger.wasm").read_bytes()), ledger.active_key)
    ledger.bootstrap()
    assert contract_pins(ledger.url, first, ledger.name) == first
    assert contract_pins(ledger.url, {}, ledger.name)[CODE_UPDATED] > first[CODE_UPDATED]


def test_pins_follow_an_upgrade(empty: LedgerAccount) -> None:
    empty.bootstrap(FIRST_CONTRACT)
    first = contract_pins(empty.url, {}, empty.name)
    empty.bootstrap()
    second = contract_pins(empty.url, first, empty.name)
    assert second[CODE_HASH] != first[CODE_HASH]
    assert contract_pins(empty.url, second, empty.name) == second


def test_a_chain_that_is_there_is_upgraded_first_and_then_given_away(empty: LedgerAccount) -> None:
    empty.bootstrap(FIRST_CONTRACT)
    empty.record_packed(pack_records(make_records(1, 2)))
    empty.bootstrap(give_away=True)
    found = empty.account()
    assert replaceable_by(empty.name, found["permissions"], found["eosio_any_linked_actions"]) == ()
    empty.record(*make_records(3, 4))
    empty.prune(1, 10)
    assert empty.ids() == [2, 3, 4]
    empty.bootstrap(give_away=True)  # a second run changes nothing
    assert empty.account()["permissions"] == found["permissions"]
    with pytest.raises(ChainError, match="was given away, nobody can change it any more; missing: setcode, setabi"):
        empty.bootstrap(FIRST_CONTRACT)
