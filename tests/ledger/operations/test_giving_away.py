"""The contract is given away for ever, and records, rotations and prunes go on (P15)."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from dev.chain.keys import KeyPair, new_keypair
from dev.chain.nodeos import Nodeos
from dev.chain.setup import CONTRACT_DIR, create_account, link_auth, set_code, update_auth
from dev.chain.transactions import Action, ChainError, pack_name, push_actions
from ledger.models import Alert
from ledger.operations import rotation
from ledger.signing import permissions
from ledger.signing.signer import OfflineKey
from tests.conftest import CloseSessions, LedgerAccount
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
NULL = "eosio.null@active"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("ledger_contract", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def owner_key(ledger_account: LedgerAccount, tmp_path: Path) -> str:
    path = tmp_path / "owner.json"
    ledger_account.owner.save(path)
    return str(path)


@pytest.fixture
def given(ledger_account: LedgerAccount, owner_key: str, settings: Settings) -> LedgerAccount:
    output = run("give-away", "--owner-key", owner_key, "--yes")
    assert "Replaceable by nobody" in output
    settings.LEDGER_OWNER_KEY = settings.LEDGER_ACTIVE_KEY = NULL
    status = json.loads(run("status", "--json"))
    assert f"EVPORTAL_LEDGER_OWNER_KEY={NULL}" in output
    assert f"EVPORTAL_LEDGER_CODE_UPDATED={status['changed_at']}" in output
    settings.LEDGER_CODE_UPDATED = status["changed_at"]
    return ledger_account


def test_neither_owner_nor_active_can_replace_the_contract_any_more(given: LedgerAccount) -> None:
    wasm = (CONTRACT_DIR / "evledger.wasm").read_bytes()
    mine = new_keypair().public
    for permission, key in (("active", given.active), ("owner", given.owner)):
        for action in (set_code(given.name, wasm), update_auth(given.name, "active", [mine], parent="owner")):
            with pytest.raises(ChainError) as caught:
                by = Action(action.account, action.name, action.data, f"{given.name}@{permission}")
                push_actions(given.node.url, [by], [key])
            assert caught.value.code == 3090003, caught.value
    assert json.loads(run("status", "--json"))["replaceable_by"] == []
    assert permissions.check() == []


def test_records_rotations_and_prunes_go_on(
    given: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(3)
    record_all()
    rotation.Rotation(rotation.prepare("ledger-given"), lambda _: None).run()
    close_sessions(1)
    record_all()
    assert given.chain.state().count == 4
    last = given.chain.state().last
    data = (last - 1).to_bytes(8, "little") + (10).to_bytes(4, "little")
    push_actions(given.node.url, [Action(given.name, "prune", data, f"{given.name}@prune")], [given.active])
    assert given.chain.state().count == 1
    assert permissions.check() == []


def test_a_second_time_there_is_nothing_to_do(given: LedgerAccount, owner_key: str) -> None:
    assert "already: nothing to do" in run("give-away", "--owner-key", owner_key, "--yes")


def test_a_dry_run_changes_nothing(ledger_account: LedgerAccount, owner_key: str) -> None:
    before = ledger_account.chain.account_info()["permissions"]
    output = run("give-away", "--owner-key", owner_key, "--dry-run")
    assert "NOBODY CAN TAKE THIS BACK" in output
    assert ledger_account.chain.account_info()["permissions"] == before
    assert set(json.loads(run("status", "--json"))["replaceable_by"]) == {
        f"{ledger_account.name}@owner",
        f"{ledger_account.name}@active",
    }


def test_independent_parties_hold_it_together(
    ledger_account: LedgerAccount,
    owner_key: str,
    account_names: Iterator[str],
    producer_key: KeyPair,
    settings: Settings,
) -> None:
    names, keys = [next(account_names) for _ in range(2)], [new_keypair(), new_keypair()]
    for name, key in zip(names, keys, strict=True):
        create_account(ledger_account.node.url, name, producer_key=producer_key, public_key=key.public)
    levels = [f"{name}@active" for name in names]
    run("give-away", "--owner-key", owner_key, "--yes", "--to", *levels)
    settings.LEDGER_OWNER_KEY = settings.LEDGER_ACTIVE_KEY = "+".join(sorted(levels))
    assert permissions.check() == []
    action = update_auth(ledger_account.name, "spare", [new_keypair().public])
    with pytest.raises(ChainError):
        push_actions(ledger_account.node.url, [action], keys[:1])
    push_actions(ledger_account.node.url, [action], keys)


@pytest.mark.parametrize("case", ["no prune", "no link", "backdoor", "another code", "another record key"])
def test_what_could_never_be_put_right_is_not_given_away(
    ledger_account: LedgerAccount, owner_key: str, settings: Settings, case: str
) -> None:
    account, names = ledger_account, pack_name(ledger_account.name)
    by = f"{account.name}@active"
    unlink = [Action("eosio", "unlinkauth", names + names + pack_name("prune"), by)]
    actions, words = {
        "no link": (unlink, "`prune` has to be linked"),
        "no prune": ([*unlink, Action("eosio", "deleteauth", names + pack_name("prune"), by)], "`prune` has to be"),
        "backdoor": (
            [
                update_auth(account.name, "backdoor", [new_keypair().public]),
                link_auth(account.name, "eosio", "setcode", "backdoor"),
            ],
            "@backdoor could still replace",
        ),
        "another code": ([], "the contract's code: expected"),
        "another record key": ([update_auth(account.name, "record", [new_keypair("R1").public])], "permission record"),
    }[case]
    if case == "another code":
        settings.LEDGER_CODE_HASH = "00" * 32
    else:
        push_actions(account.node.url, actions, [account.active])
    with pytest.raises(CommandError, match=words):
        run("give-away", "--owner-key", owner_key, "--yes")


@pytest.mark.parametrize("text", ["nobody", "a@", "@active", "UPPER@active"])
def test_who_is_not_named_as_an_account_gets_nothing(ledger_account: LedgerAccount, owner_key: str, text: str) -> None:
    with pytest.raises(CommandError, match="expected"):
        run("give-away", "--owner-key", owner_key, "--yes", "--to", text)


def test_another_key_than_owners_is_refused(ledger_account: LedgerAccount, tmp_path: Path) -> None:
    new_keypair().save(tmp_path / "other.json")
    with pytest.raises(CommandError, match="but does not have signatures"):
        run("give-away", "--owner-key", str(tmp_path / "other.json"), "--yes")
    (tmp_path / "broken").write_text("no key")
    with pytest.raises(CommandError, match="expected a private key"):
        run("give-away", "--owner-key", str(tmp_path / "broken"), "--yes")


@pytest.mark.parametrize("kind", ["K1", "R1"])
def test_a_key_file_may_hold_the_key_alone(tmp_path: Path, kind: str) -> None:
    pair = new_keypair(kind)  # type: ignore[arg-type]
    (tmp_path / "key").write_text(pair.private + "\n")
    assert OfflineKey.load(tmp_path / "key").sign(bytes(range(32))).startswith(f"SIG_{kind}_")


# --- the watch


def test_a_changed_contract_raises_an_alarm_also_when_it_was_put_back(
    ledger_account: LedgerAccount, settings: Settings
) -> None:
    account = ledger_account
    settings.LEDGER_CODE_UPDATED = account.chain.account_info()["last_code_update"]
    assert permissions.check() == []
    wasm = (CONTRACT_DIR / "evledger.wasm").read_bytes()
    push_actions(account.node.url, [set_code(account.name, b"")], [account.active])
    permissions.check()
    alert = Alert.objects.get(code="contract_changed", closed_at__isnull=True)
    assert "the contract's code: expected" in alert.message
    push_actions(account.node.url, [set_code(account.name, wasm)], [account.active])
    permissions.check()
    alert.refresh_from_db()
    assert alert.closed_at is None and alert.message.startswith("the contract was changed at ")


def test_another_interface_raises_an_alarm(ledger_account: LedgerAccount) -> None:
    empty = Action("eosio", "setabi", pack_name(ledger_account.name) + b"\x00", f"{ledger_account.name}@active")
    push_actions(ledger_account.node.url, [empty], [ledger_account.active])
    assert "(ABI) differs" in permissions.check()[0]
    assert Alert.objects.filter(code="contract_changed", closed_at__isnull=True).exists()


def test_our_key_in_another_accounts_permission_raises_an_alarm(
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    account_names: Iterator[str],
    producer_key: KeyPair,
    settings: Settings,
) -> None:
    """P1: an account with a copy of the contract, and the published key in its permission."""
    name, key = next(account_names), new_keypair()
    create_account(ledger_account.node.url, name, producer_key=producer_key, public_key=key.public)
    ours = ledger_account.tpm.client().key_get("ledger").public_key_eosio
    push_actions(ledger_account.node.url, [update_auth(name, "record", [ours])], [key])
    assert permissions.check() == [], "a node that does not tell is no alarm"
    settings.LEDGER_NODES = [second_node.url]
    until(lambda: f"{name}@record holds our key {ours}" in permissions.check())
    assert Alert.objects.filter(code="key_elsewhere", closed_at__isnull=True).exists()
