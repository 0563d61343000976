"""Who may do what: the TPM's key records, and does nothing else; strangers do nothing at all."""

from pathlib import Path

import pytest

from dev.chain.compiler import compile_contract
from dev.chain.keys import KeyPair, new_keypair
from dev.chain.setup import CONTRACT_DIR, link_auth, set_abi, set_code, update_auth
from dev.chain.transactions import Action, ChainError, pack_authority, pack_name, push_actions
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, make_records, pack_records

IRRELEVANT_AUTHORITY = 3090005
UNSATISFIED_AUTHORITY = 3090003
MISSING_AUTHORITY = 3090004

# Notifies an account of each of its actions; `code` in the receiver's apply is then the sender, not the receiver.
NOTIFIER = """
extern "C" {
using Name = unsigned long long;
__attribute__((import_module("env"), import_name("require_recipient"))) void require_recipient(Name);
__attribute__((export_name("apply"))) void apply(Name receiver, Name code, Name) {
    if (receiver == code) require_recipient(RECEIVER);
}
}
"""


def test_another_account_cannot_record(ledger: LedgerAccount, stranger: tuple[str, KeyPair]) -> None:
    name, key = stranger
    action = Action(ledger.name, "record", pack_records([Rec(1, "one")]), f"{name}@active")
    with pytest.raises(ChainError, match="missing authority") as caught:
        ledger.push(action, key)
    assert caught.value.code == MISSING_AUTHORITY
    assert ledger.ids() == []


def test_another_key_cannot_record(ledger: LedgerAccount) -> None:
    with pytest.raises(ChainError) as caught:
        ledger.record(Rec(1, "one"), key=new_keypair("R1"))
    assert caught.value.code == UNSATISFIED_AUTHORITY
    assert ledger.ids() == []


def test_another_account_cannot_prune(ledger: LedgerAccount, stranger: tuple[str, KeyPair]) -> None:
    name, key = stranger
    ledger.record(*make_records(1, 3))
    action = Action(ledger.name, "prune", ledger.prune_action(2, 10).data, f"{name}@active")
    with pytest.raises(ChainError, match="missing authority") as caught:
        ledger.push(action, key)
    assert caught.value.code == MISSING_AUTHORITY
    assert ledger.ids() == [1, 2, 3]


def transfer(account: str) -> Action:
    data = (
        pack_name(account)
        + pack_name("eosio")
        + (1).to_bytes(8, "little")
        + bytes.fromhex("0445565000000000")
        + b"\x00"
    )
    return Action("eosio.token", "transfer", data, f"{account}@record")


def with_record_permission(action: Action) -> Action:
    return Action(action.account, action.name, action.data, action.authorization.replace("@active", "@record"))


@pytest.mark.usefixtures("token_contract")
def test_the_record_key_can_do_nothing_but_record(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 3))
    mine, account = ledger.record_key.public, ledger.name
    before = ledger.account()["permissions"]
    wasm = (CONTRACT_DIR / "evledger.wasm").read_bytes()
    owner_by_record = Action(
        "eosio",
        "updateauth",
        pack_name(account) + pack_name("owner") + bytes(8) + pack_authority([mine]),
        f"{account}@record",
    )
    forbidden = [
        ledger.prune_action(2, 10, "record"),
        ledger.action("anything", b"", "record"),
        with_record_permission(set_code(account, wasm + b"\x00")),
        with_record_permission(set_abi(account, b"")),
        with_record_permission(update_auth(account, "active", [mine], parent="owner")),
        owner_by_record,
        with_record_permission(link_auth(account, account, "prune", "record")),
        with_record_permission(link_auth(account, "eosio", "setcode", "record")),
        transfer(account),
    ]
    for action in forbidden:
        with pytest.raises(ChainError) as caught:
            ledger.push(action, ledger.record_key)
        assert caught.value.code == IRRELEVANT_AUTHORITY, (action.account, action.name, caught.value)
    assert ledger.account()["permissions"] == before
    assert ledger.ids() == [1, 2, 3]


@pytest.mark.parametrize("name", ["prune", "setcode", "updateauth"])
def test_the_record_key_does_not_sign_for_active(ledger: LedgerAccount, name: str) -> None:
    ledger.record(*make_records(1, 3))
    actions = {
        "prune": ledger.prune_action(2, 10),
        "setcode": set_code(ledger.name, b""),
        "updateauth": update_auth(ledger.name, "active", [ledger.record_key.public], parent="owner"),
    }
    with pytest.raises(ChainError) as caught:
        ledger.push(actions[name], ledger.record_key)
    assert caught.value.code == UNSATISFIED_AUTHORITY
    assert ledger.ids() == [1, 2, 3]


def test_known_weakness_the_record_key_can_replace_itself(ledger: LedgerAccount) -> None:
    """Antelope lets every permission change itself: who steals the TPM's use once can plant a key of their own.

    Nothing in the contract can forbid it. The portal watches get_account and raises an alarm, and
    active takes the permission back.
    """
    planted = new_keypair("R1")
    theft = with_record_permission(update_auth(ledger.name, "record", [planted.public]))
    ledger.push(theft, ledger.record_key)
    ledger.record(Rec(1, "one"), key=planted)
    with pytest.raises(ChainError):
        ledger.record(Rec(2, "two"))
    ledger.push(update_auth(ledger.name, "record", [ledger.record_key.public]), ledger.active_key)
    ledger.record(Rec(2, "two"))
    with pytest.raises(ChainError):
        ledger.record(Rec(3, "three"), key=planted)


def test_known_weakness_the_record_key_can_lock_itself_out_and_grow_children(ledger: LedgerAccount) -> None:
    """It may remove its own link and make permissions below itself: trouble, shown by get_account, but no new power."""
    names = pack_name(ledger.name) + pack_name(ledger.name) + pack_name("record")
    ledger.push(Action("eosio", "unlinkauth", names, f"{ledger.name}@record"), ledger.record_key)
    child = update_auth(ledger.name, "child", [ledger.record_key.public], parent="record")
    ledger.push(with_record_permission(child), ledger.record_key)
    assert {entry["perm_name"] for entry in ledger.account()["permissions"]} == {
        "owner",
        "active",
        "record",
        "prune",
        "child",
    }
    with pytest.raises(ChainError) as caught:
        ledger.record(Rec(1, "one"))
    assert caught.value.code == IRRELEVANT_AUTHORITY
    ledger.bootstrap()  # active sets the link again
    ledger.record(Rec(1, "one"))


def test_keys_rotate_without_a_gap(ledger: LedgerAccount) -> None:
    old, new = ledger.record_key, new_keypair("R1")
    ledger.record(Rec(1, "one"), key=old)
    ledger.push(update_auth(ledger.name, "record", [old.public, new.public]), ledger.active_key)
    ledger.record(Rec(2, "two"), key=new)
    ledger.record(Rec(3, "three"), key=old)  # signed before the rotation, arrived after it
    ledger.push(update_auth(ledger.name, "record", [new.public]), ledger.active_key)
    with pytest.raises(ChainError) as caught:
        ledger.record(Rec(4, "four"), key=old)
    assert caught.value.code == UNSATISFIED_AUTHORITY
    ledger.record(Rec(4, "four"), key=new)
    assert ledger.ids() == [1, 2, 3, 4]


def test_the_prune_key_can_do_nothing_but_prune(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 3))
    forbidden = [
        ledger.action("record", pack_records([Rec(4, "four")]), "prune"),
        Action("eosio", "setcode", set_code(ledger.name, b"").data, f"{ledger.name}@prune"),
        Action("eosio", "updateauth", update_auth(ledger.name, "active", []).data, f"{ledger.name}@prune"),
    ]
    for action in forbidden:
        with pytest.raises(ChainError) as caught:
            ledger.push(action, ledger.prune_key)
        assert caught.value.code == IRRELEVANT_AUTHORITY, (action.name, caught.value)
    ledger.prune(2, 10)
    assert ledger.ids() == [3]


def test_an_unknown_action_is_refused(ledger: LedgerAccount) -> None:
    with pytest.raises(ChainError, match="evledger: unknown action"):
        ledger.push(ledger.action("erase", b"", "active"), ledger.active_key)


def test_a_notification_that_looks_like_record_changes_nothing(
    ledger: LedgerAccount, stranger: tuple[str, KeyPair], tmp_path: Path
) -> None:
    name, key = stranger
    wasm = build_notifier(tmp_path, ledger.name)
    push_actions(ledger.url, [set_code(name, wasm)], [key])
    trace = push_actions(ledger.url, [Action(name, "record", pack_records([Rec(1, "one")]), f"{name}@active")], [key])
    assert [action["receiver"] for action in trace["action_traces"]] == [name, ledger.name]
    assert ledger.ids() == []


def build_notifier(directory: Path, receiver: str) -> bytes:
    source = directory / "notifier.cpp"
    number = int.from_bytes(pack_name(receiver), "little")
    source.write_text(NOTIFIER.replace("RECEIVER", f"{number}ULL"))
    return compile_contract(source)


def test_bootstrap_twice_changes_nothing(ledger: LedgerAccount) -> None:
    ledger.record(Rec(1, "one"))
    before = ledger.account()
    ledger.bootstrap()
    after = ledger.account()
    assert after["permissions"] == before["permissions"]
    assert after["last_code_update"] == before["last_code_update"]
    assert ledger.ids() == [1]
