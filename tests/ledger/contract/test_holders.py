"""Who could replace the contract, as the chain itself says it."""

import pytest

from dev.chain.keys import new_keypair
from dev.chain.setup import link_auth, update_auth
from ledger.chain.holders import held_by_nobody, replaceable_by, tells_links
from tests.ledger.contract.ledger_account import LedgerAccount


def holders(ledger: LedgerAccount) -> tuple[str, ...]:
    found = ledger.account()
    assert tells_links(found["permissions"])
    return replaceable_by(ledger.name, found["permissions"], found["eosio_any_linked_actions"])


def test_owner_and_active_could_and_record_and_prune_could_not(ledger: LedgerAccount) -> None:
    assert set(holders(ledger)) == {f"{ledger.name}@owner", f"{ledger.name}@active"}


@pytest.mark.parametrize("action", ["setcode", "setabi", ""])
def test_a_permission_that_may_do_it_could_too(ledger: LedgerAccount, action: str) -> None:
    ledger.push(update_auth(ledger.name, "backdoor", [new_keypair().public]), ledger.active_key)
    ledger.push(link_auth(ledger.name, "eosio", action, "backdoor"), ledger.active_key)
    assert f"{ledger.name}@backdoor" in holders(ledger)


def test_a_permission_above_one_that_may_do_it_could_too(ledger: LedgerAccount) -> None:
    for name, parent in (("above", "active"), ("below", "above"), ("beside", "above")):
        ledger.push(update_auth(ledger.name, name, [new_keypair().public], parent=parent), ledger.active_key)
    ledger.push(link_auth(ledger.name, "eosio", "setcode", "below"), ledger.active_key)
    assert {"above", "below"} <= {name.rpartition("@")[2] for name in holders(ledger)}
    assert f"{ledger.name}@beside" not in holders(ledger)


def test_what_every_permission_may_do_is_named(ledger: LedgerAccount) -> None:
    ledger.push(link_auth(ledger.name, "eosio", "setcode", "eosio.any"), ledger.active_key)
    assert f"{ledger.name}@eosio.any" in holders(ledger)


@pytest.mark.parametrize(
    ("keys", "accounts", "waits", "nobody"),
    [
        ([], [("eosio.null", "active")], [], True),
        ([], [("eosio.null", "owner")], [], False),
        ([], [("eosio.null", "active"), ("auditor", "active")], [], False),
        ([{"key": "EOS…", "weight": 1}], [("eosio.null", "active")], [], False),
        ([], [("eosio.null", "active")], [{"wait_sec": 10, "weight": 1}], False),
    ],
)
def test_nobody_is_the_null_account_alone(
    keys: list[object], accounts: list[tuple[str, str]], waits: list[object], nobody: bool
) -> None:
    levels = [{"permission": {"actor": actor, "permission": name}, "weight": 1} for actor, name in accounts]
    assert held_by_nobody({"threshold": 1, "keys": keys, "accounts": levels, "waits": waits}) is nobody


def test_a_node_that_does_not_list_links_says_nothing_of_them() -> None:
    assert not tells_links([{"perm_name": "owner"}])
