"""From one signing key to the next: with a real chain and TPM, under load, and by two at once."""

import io
import threading
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.chain.keys import new_keypair
from dev.chain.nodeos import Nodeos
from dev.chain.setup import update_auth
from dev.chain.transactions import push_actions
from ledger.chain import node
from ledger.errors import Unauthorized
from ledger.models import Alert, ChainTransaction, KeyRotation, LedgerEntry, SigningKey
from ledger.operations import rotation
from ledger.operations.permission_change import record_change
from ledger.operations.rotation import Rotation, RotationBusy, RotationError
from ledger.receipts import checks
from ledger.receipts.published import published_ak
from ledger.signing import permissions
from ledger.signing.signer import TpmSigner, signer
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import all_recorded, drive
from tests.ledger.operations.rotating import (
    STEPS,
    S,
    Step,
    assert_recorded_once,
    assert_rotated,
    name,
    record_keys,
    rotate,
    rotate_until,
    working,
)
from tpm.client import TpmRefused

__all__ = ["name"]  # fixture

pytestmark = pytest.mark.django_db(transaction=True)


# --- a whole rotation


def test_a_rotation_under_load_loses_and_doubles_nothing(
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    close_sessions: CloseSessions,
    settings: Settings,
    name: str,
) -> None:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    old = signer().to_public()
    close_sessions(5)
    drive(all_recorded)
    with working(lambda: close_sessions(7)) as wrong:
        text = rotate(name)
        time.sleep(1)
    assert wrong == []
    new = assert_rotated(ledger_account, old, name)
    others = Alert.objects.exclude(code="key_elsewhere")  # the tests' accounts share the TPM's key
    assert not list(others.values_list("code", "subject", "message")), "nobody was alarmed meanwhile either"
    drive(all_recorded)
    assert_recorded_once(ledger_account)
    signed = ChainTransaction.objects.filter(status=S.IRREVERSIBLE)
    assert set(signed.values_list("public_key", flat=True)) == {old, new}
    assert not ChainTransaction.objects.exclude(status=S.IRREVERSIBLE).exists(), "nothing was refused or ran out"
    for key in (old, new):
        entry = LedgerEntry.objects.filter(transaction__public_key=key).select_related("session").first()
        assert entry is not None and entry.session is not None
        check = checks.verify_session(entry.session)
        assert check.verdict == "VERIFIED", check
        assert "made in the TPM of AK" in check.steps[7].note
    fingerprint = published_ak(new)
    assert fingerprint and new in text and fingerprint in text.split("Publish")[1]


def test_the_chain_refuses_the_old_key_afterwards(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, name: str
) -> None:
    rotate(name)
    unsigned = node.chain().build([(10**6, bytes(32), b"")], expiration_s=60)
    (signature,) = signer("ledger").sign_many([unsigned.digest])
    with pytest.raises(Unauthorized):
        node.chain().send(unsigned.packed, signature)
    back = record_change([signer("ledger").to_public()], parent="active", info=node.chain().info())
    (signature,) = signer("ledger").sign_many([back.digest])
    with pytest.raises(Unauthorized):
        node.chain().send(back.packed, signature)


def test_rotations_follow_one_another_and_names_are_found(
    ledger_account: LedgerAccount, settings: Settings, name: str
) -> None:
    settings.LEDGER_KEY = name
    ledger_account.tpm.client().key_create(name)
    first = ledger_account.tpm.client().key_get(name).public_key_eosio
    push_actions(
        ledger_account.node.url, [update_auth(ledger_account.name, "record", [first])], [ledger_account.active]
    )
    rotate(None)
    assert_rotated(ledger_account, first, f"{name}-2")
    second = signer().to_public()
    rotate(None)
    assert signer().key == f"{name}-3" and record_keys(ledger_account) == {signer().to_public()}
    assert set(SigningKey.objects.filter(status="RETIRED").values_list("public_key", flat=True)) == {first, second}
    for used in (name, f"{name}-2", f"{name}-3"):
        with pytest.raises(CommandError, match="a name of its own"):
            rotate(used)


def test_a_dry_run_changes_nothing(ledger_account: LedgerAccount, name: str) -> None:
    old = signer().to_public()
    out = io.StringIO()
    call_command("ledger_rotate_key", name, "--dry-run", stdout=out)
    text = out.getvalue()
    assert old in text and name in text
    assert [line.split()[0] for line in text.splitlines() if line.split()[0] in Step.values] == STEPS
    assert not KeyRotation.objects.exists() and record_keys(ledger_account) == {old}
    assert name not in [key.name for key in ledger_account.tpm.client().key_list()]


def test_it_asks_first(ledger_account: LedgerAccount, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("ledger_rotate_key", name, stdout=io.StringIO())
    assert not KeyRotation.objects.exists()


def test_a_key_that_is_there_already_is_not_taken(ledger_account: LedgerAccount, name: str) -> None:
    ledger_account.tpm.client().key_create(name)
    with pytest.raises(CommandError, match=f"the TPM service has a key {name} already"):
        rotate(name)
    assert not KeyRotation.objects.exists()


@pytest.mark.parametrize("bad", ["", "Ledger", "../ledger", "-x", "a" * 64, "a b"])
def test_what_is_no_name_is_refused(ledger_account: LedgerAccount, bad: str) -> None:
    with pytest.raises(RotationError, match="a key's name"):
        rotation.check_name(bad)


def test_a_key_that_cannot_sign_is_given_up_before_anything_depends_on_it(
    ledger_account: LedgerAccount, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a token whose scope names the old key alone."""
    old = signer().to_public()

    def forbid(self: TpmSigner, digests: object) -> list[str]:
        raise TpmRefused("insufficient_scope", "the token has no scope for this key")

    with monkeypatch.context() as patched:
        patched.setattr(TpmSigner, "sign_many", forbid)
        with pytest.raises(CommandError, match="no scope for this key"):
            rotate(name)
    assert not KeyRotation.objects.exists() and SigningKey.objects.get().name == "ledger"
    assert record_keys(ledger_account) == {old}
    rotate(f"{name}-b")
    assert_rotated(ledger_account, old, f"{name}-b")


# --- two at once


def test_a_second_process_is_refused_while_the_first_is_at_it(ledger_account: LedgerAccount, name: str) -> None:
    first = Rotation(rotation.prepare(name), lambda text: None)
    first.claim()
    alive = threading.Event()

    def renew() -> None:
        while not alive.wait(0.2):
            KeyRotation.objects.update(claimed_until=timezone.now() + timedelta(seconds=30))
        connections.close_all()

    keeper = threading.Thread(target=renew)
    keeper.start()
    try:
        with pytest.raises(CommandError, match="another process is at the rotation to"):
            rotate(None)
        with pytest.raises(CommandError, match="is not finished"):
            rotate(f"{name}-other")
    finally:
        alive.set()
        keeper.join()
    assert SigningKey.objects.count() == 2


def test_two_started_in_the_same_moment_make_one_rotation(ledger_account: LedgerAccount, name: str) -> None:
    old = signer().to_public()
    ended: list[str] = []

    def start() -> None:
        try:
            rotate(name)
            ended.append("done")
        except CommandError as error:
            ended.append(str(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert ended.count("done") == 1, ended
    assert all("another process" in text or "a name of its own" in text for text in ended if text != "done"), ended
    assert KeyRotation.objects.count() == 1
    assert_rotated(ledger_account, old, name)


def test_one_that_stood_still_does_not_go_on_beside_its_successor(ledger_account: LedgerAccount, name: str) -> None:
    slow = Rotation(rotation.prepare(name), lambda text: None)
    slow.claim()
    KeyRotation.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    fast = Rotation(rotation.prepare(None), lambda text: None)
    fast.claim()
    fast.step()
    with pytest.raises(RotationBusy):
        slow.step()
    fast.release()
    fast.run()
    assert record_keys(ledger_account) == {signer(name).to_public()}


# --- somebody else at the permission


def test_foreign_keys_in_the_permission_stop_it(ledger_account: LedgerAccount, name: str) -> None:
    account, foreign = ledger_account, new_keypair("R1").public
    own = signer().to_public()
    push_actions(account.node.url, [update_auth(account.name, "record", [own, foreign])], [account.active])
    with pytest.raises(CommandError, match="Find out who changed it"):
        rotate(name)
    push_actions(account.node.url, [update_auth(account.name, "record", [own])], [account.active])
    rotate(None)
    assert_rotated(account, own, name)


@pytest.mark.parametrize("step", [*STEPS, Step.DONE])
def test_the_watch_expects_the_state_of_the_step_and_no_other(
    ledger_account: LedgerAccount, name: str, step: KeyRotation.Step
) -> None:
    account = ledger_account
    old = signer().to_public()
    if step == Step.DONE:
        rotate(name)
    else:
        rotate_until(step, name)
    new = signer(name).to_public() if step != Step.MAKE else new_keypair("R1").public
    foreign = new_keypair("R1").public
    allowed = {
        Step.MAKE: [{old}],
        Step.ADD: [{old}, {old, new}],
        Step.SWITCH: [{old, new}],
        Step.SETTLE: [{old, new}],
        Step.REMOVE: [{old, new}, {new}],
        Step.DONE: [{new}],
    }[step]
    for keys in ({old}, {new}, {old, new}, {old, new, foreign}, {foreign}, {old, foreign}, {new, foreign}):
        push_actions(account.node.url, [update_auth(account.name, "record", sorted(keys))], [account.active])
        assert (permissions.check() == []) == (keys in allowed), (step, keys)
