"""One real chain for all tests of the contract; each test has an account with the contract for itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.chain.keys import KeyPair, new_keypair
from dev.chain.nodeos import Nodeos, contracts_dir
from dev.chain.setup import create_account, set_code
from dev.chain.transactions import push_actions
from tests.ledger.contract.ledger_account import LedgerAccount

FIRST_CONTRACT = Path(__file__).parent / "first"  # as it was until 2026-11: many records were made under it


@pytest.fixture(scope="session")
def contract_node(chain_node: Nodeos) -> Nodeos:
    """The tests' producing node."""
    return chain_node


@pytest.fixture(scope="session")
def token_contract(contract_node: Nodeos, producer_key: KeyPair) -> None:
    """eosio.token on its account: something that an account's keys could give away."""
    create_account(contract_node.url, "eosio.token", producer_key=producer_key, public_key=producer_key.public)
    wasm = (contracts_dir() / "eosio.token" / "eosio.token.wasm").read_bytes()
    push_actions(contract_node.url, [set_code("eosio.token", wasm)], [producer_key])


@pytest.fixture
def empty(contract_node: Nodeos, producer_key: KeyPair, account_names: Iterator[str]) -> LedgerAccount:
    """An account's name and keys, before it has been made."""
    return LedgerAccount(contract_node.url, next(account_names), producer_key)


@pytest.fixture
def ledger(empty: LedgerAccount) -> LedgerAccount:
    """An account of its own with the contract, empty: no test sees another's rows."""
    empty.bootstrap()
    return empty


@pytest.fixture
def stranger(contract_node: Nodeos, producer_key: KeyPair, account_names: Iterator[str]) -> tuple[str, KeyPair]:
    """Another account on the same chain, and its key."""
    name, key = next(account_names), new_keypair()
    create_account(contract_node.url, name, producer_key=producer_key, public_key=key.public)
    return name, key
