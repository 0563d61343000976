"""A dead TPM loses nothing: tested by destroying it, and recovering the master key into another."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.chain.setup import update_auth
from dev.chain.transactions import push_actions
from dev.parts.tpm_service import TpmStack
from dev.stack.enrolment import ensure_attested
from ledger.audit.audit import audit
from ledger.keys import data_keys, master_key, vault
from ledger.models import Alert, ChainTransaction, DataKey
from ledger.operations import custody
from ledger.recording import tasks
from ledger.signing import signer
from stations.models import ChargingSession
from tests import enrolment
from tests.conftest import CloseSessions, LedgerAccount
from tests.enrolment import pins
from tests.environment import DIRECTORY, RECOVERY_KEY
from tests.ledger.conftest import all_recorded, drive
from tests.ledger.keys.masters import drop_everything, opened_keys, run, sealed_names, the_master, tokens
from tests.ledger.recording.killing import killed_at_each_step
from tpm.client import TpmClient, TpmUnavailable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def tpm_stack() -> Iterator[TpmStack]:
    """A TPM service of this module's own, whose TPM the tests destroy."""
    stack = TpmStack(DIRECTORY / "doomed")
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def tpm_client(tpm_stack: TpmStack) -> TpmClient:
    return tpm_stack.client()


@pytest.fixture
def tpm(tpm_stack: TpmStack, settings: Settings, tmp_path: Path) -> TpmStack:
    """The TPM service for the portal, without a chain."""
    settings.LEDGER_MASTER_KEY_FILE = tmp_path / "master_keys"
    settings.LEDGER_NODES = ["http://127.0.0.1:9"]
    settings.TPM_SERVICE_URL = tpm_stack.service_url
    settings.TPM_TOKEN_URL = tpm_stack.provider.token_url
    settings.TPM_CLIENT_ID = tpm_stack.portal.client_id
    settings.TPM_CLIENT_SECRET = tpm_stack.portal.client_secret
    enrol(tpm_stack)
    return tpm_stack


def enrol(stack: TpmStack, *, keys: tuple[str, ...] = ()) -> None:
    ensure_attested(stack.service_url, pins(stack), keys=keys)


def destroy_tpm(stack: TpmStack, *, volume_too: bool = False) -> None:
    """The TPM with all its seeds is gone; another one is put in its place, and the portal learns to know it."""
    stack.service.stop()
    stack.swtpm.kill()
    shutil.rmtree(stack.swtpm.state_dir)
    if volume_too:
        shutil.rmtree(stack.key_dir)
    stack.swtpm.start()
    stack.start_service()
    if "ledger" in [key.name for key in stack.client().key_list()]:
        stack.client().key_delete("ledger")  # what is left of it belongs to the dead TPM
    vault._opened.clear()
    signer._signer.cache_clear()  # as in a worker that was started anew
    enrolment._known.pop(stack.service_url, None)
    enrol(stack)


def open_alerts() -> dict[str, str]:
    return dict(Alert.objects.filter(closed_at__isnull=True).values_list("code", "message"))


# --- the TPM is destroyed


def new_signing_key(account: LedgerAccount) -> None:
    """The signing key died with its TPM: the offline `active` key puts a new one into the permission."""
    public_key = account.tpm.client().key_create("ledger").public_key_eosio
    enrol(account.tpm, keys=("ledger",))
    push_actions(account.node.url, [update_auth(account.name, "record", [public_key])], [account.active])
    account.node.wait_for_block(account.node.info()["head_block_num"] + 1)


@pytest.mark.parametrize("volume_too", [False, True], ids=["its TPM alone", "its volume too"])
def test_a_destroyed_tpm_loses_nothing(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    settings: Settings,
    tmp_path: Path,
    *,
    volume_too: bool,
) -> None:
    stack, path = ledger_account.tpm, settings.LEDGER_MASTER_KEY_FILE
    close_sessions(4)
    close_sessions(3, token=tokens(1)[0])
    close_sessions(2, token=None)
    record_all()
    before, old = opened_keys(), the_master(path)

    destroy_tpm(stack, volume_too=volume_too)
    close_sessions(2, token=tokens(1)[0])
    tasks.anchor()
    assert ChainTransaction.objects.filter(status=ChainTransaction.Status.BATCHED).count() == 1
    assert "ledger_keys recover" in open_alerts()["master_key"]
    status, output = run("status")
    assert status == 1 and "opens now        NO" in output and "ledger_keys recover" in output

    assert "opens master key" in run("recover", "--recovery-key", str(RECOVERY_KEY), "--dry-run")[1]
    assert the_master(path) == old
    assert "is sealed in the present TPM" in run("recover", "--recovery-key", str(RECOVERY_KEY))[1]
    assert "nothing to do" in run("recover", "--recovery-key", str(RECOVERY_KEY))[1]
    assert run("status")[0] == 0
    new = the_master(path)
    assert new.sealed != old.sealed and (new.id, new.public, new.made_at) == (old.id, old.public, old.made_at)
    assert {name for name in sealed_names(stack) if old.id in name} == {new.sealed}
    assert {pk: key for pk, key in opened_keys().items() if pk in before} == before

    new_signing_key(ledger_account)
    drive(all_recorded)
    assert open_alerts() == {}
    backup = tmp_path / "keys.json"
    run("backup", str(backup))
    drop_everything()
    call_command("ledger_restore", "--keys", str(backup), stdout=io.StringIO())
    report = audit()
    assert report.clean and report.equal == ChargingSession.objects.count() == 11


def test_a_destroyed_tpm_without_the_recovery_key_keeps_what_the_database_has(
    tpm: TpmStack, close_sessions: CloseSessions, owner: User
) -> None:
    """Nothing opens; closing and erasing go on, and the alert for the erasure says what is missing."""
    from ledger.keys.erasure import customer_erase

    close_sessions(2)
    destroy_tpm(tpm)
    close_sessions(1, token=tokens(1)[0])
    assert customer_erase(customer=owner) == 2
    assert "ledger_keys recover" in open_alerts()["master_key_due"]
    assert DataKey.objects.filter(wrapped__isnull=True).count() == 1
    run("recover", "--recovery-key", str(RECOVERY_KEY))
    assert data_keys.master_key_upkeep() and open_alerts() == {}
    assert len(opened_keys()) == 1


# --- recover refuses


def test_a_wrong_recovery_key_is_refused(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, tmp_path: Path
) -> None:
    close_sessions(1)
    destroy_tpm(tpm)
    before, names = settings.LEDGER_MASTER_KEY_FILE.read_text(), sealed_names(tpm)
    with pytest.raises(CommandError, match="ledger_keys recover"):
        run("seal")
    run("recovery-keygen", "--out", str(tmp_path / "other.pem"))
    for options in ([], ["--dry-run"]):
        with pytest.raises(CommandError, match=r"this is recovery key \w+, but master key \w+ was wrapped for"):
            run("recover", "--recovery-key", str(tmp_path / "other.pem"), *options)
    for text in ("", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        (tmp_path / "none.pem").write_text(text)
        with pytest.raises(CommandError, match="the recovery key: expected a PEM"):
            run("recover", "--recovery-key", str(tmp_path / "none.pem"))
    with pytest.raises(CommandError, match="No such file"):
        run("recover", "--recovery-key", str(tmp_path / "absent.pem"))
    with pytest.raises(CommandError, match="expected a PEM with a private key"):
        run("recover", "--recovery-key", f"{RECOVERY_KEY}.pub")
    assert settings.LEDGER_MASTER_KEY_FILE.read_text() == before and sealed_names(tpm) == names


def test_what_cannot_be_recovered_is_named(tpm: TpmStack, settings: Settings, close_sessions: CloseSessions) -> None:
    path = settings.LEDGER_MASTER_KEY_FILE
    with pytest.raises(CommandError, match="put it back from its backup"):
        run("recover", "--recovery-key", str(RECOVERY_KEY))
    close_sessions(1)
    whole = path.read_text()
    for damaged in ("", whole[: len(whole) // 2], "[]"):
        path.write_text(damaged)
        for command in (["recover", "--recovery-key", str(RECOVERY_KEY)], ["status"], ["seal"]):
            with pytest.raises(CommandError, match="put it back from its backup"):
                run(*command)
        assert path.read_text() == damaged
    content = json.loads(whole)
    content["masters"][0]["recovery"] = content["masters"][0]["recovery"].swapcase()
    path.write_text(json.dumps(content))
    with pytest.raises(CommandError, match="was altered"):
        run("recover", "--recovery-key", str(RECOVERY_KEY))
    path.unlink()
    for command in (["recover", "--recovery-key", str(RECOVERY_KEY)], ["seal"]):
        with pytest.raises(CommandError, match="put it back from its backup"):
            run(*command)
    path.write_text(whole)
    assert len(opened_keys()) == 1


def test_recovering_while_the_tpm_service_is_down_changes_nothing(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    close_sessions(1)
    before = settings.LEDGER_MASTER_KEY_FILE.read_text()
    tpm.kill_service()
    try:
        for command in (["recover", "--recovery-key", str(RECOVERY_KEY)],):
            with pytest.raises(CommandError, match="the TPM service did not do it: connection"):
                run(*command)
        status, output = run("status")
        assert status == 1 and "NO: connection" in output
    finally:
        tpm.start_service()
    assert settings.LEDGER_MASTER_KEY_FILE.read_text() == before
    assert run("status")[0] == 0


def test_a_recovery_key_with_a_passphrase(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, tmp_path: Path
) -> None:
    (tmp_path / "passphrase").write_text("four words are enough\n")
    (tmp_path / "wrong").write_text("four words are not\n")
    key, asked = tmp_path / "recovery.pem", ["--passphrase-file", str(tmp_path / "passphrase")]
    output = run("recovery-keygen", "--out", str(key), *asked)[1]
    public = (tmp_path / "recovery.pem.pub").read_text()
    assert public.strip() in output and "four words" not in output and "PRIVATE" not in output
    assert key.stat().st_mode & 0o777 == 0o600 and b"ENCRYPTED" in key.read_bytes()
    with pytest.raises(CommandError, match="is there already"):
        run("recovery-keygen", "--out", str(key))
    settings.LEDGER_RECOVERY_PUBLIC_KEY = public
    close_sessions(1)
    destroy_tpm(tpm)
    with pytest.raises(CommandError, match="passphrase is wrong"):
        run("recover", "--recovery-key", str(key), "--passphrase-file", str(tmp_path / "wrong"))
    run("recover", "--recovery-key", str(key), *asked)
    assert len(opened_keys()) == 1


def test_killed_at_each_step_of_recovering_loses_nothing(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    for token in tokens(2):
        close_sessions(1, token=token)
    path, before = settings.LEDGER_MASTER_KEY_FILE, opened_keys()
    recovery_key = master_key.recovery_private_load(RECOVERY_KEY.read_bytes())
    names = sealed_names(tpm) - {the_master(path).sealed}

    def lose() -> None:
        """As with another TPM: what was sealed is gone."""
        tpm.client().sealed_delete(the_master(path).sealed)
        vault._opened.clear()

    lose()
    for step in killed_at_each_step(lambda: custody.recover(recovery_key=recovery_key)):
        custody.recover(recovery_key=recovery_key)
        assert opened_keys() == before and not data_keys.master_key_is_due(), f"killed at step {step}"
        assert sealed_names(tpm) - names == {the_master(path).sealed}, f"killed at step {step}"
        lose()
    assert opened_keys() == before


# --- the TPM service is tampered with


def test_a_tampered_service_does_not_open_the_master_key(tpm: TpmStack, close_sessions: CloseSessions) -> None:
    close_sessions(1)
    before = opened_keys()
    strange = tpm.release_dir / "app" / "strange.py"
    tpm.service.stop()
    strange.write_text("")
    tpm.start_service()
    vault._opened.clear()
    try:
        close_sessions(1, token=tokens(1)[0])
        with pytest.raises(TpmUnavailable, match="integrity_failed"):
            opened_keys()
    finally:
        strange.unlink()
        tpm.service.stop()
        tpm.start_service()
    assert {pk: key for pk, key in opened_keys().items() if pk in before} == before
