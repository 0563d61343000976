"""A dead TPM loses nothing: tested by destroying it. And the commands with which an operator keeps the master key."""

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.chain.setup import update_auth
from dev.chain.transactions import push_actions
from dev.parts.tpm_service import TpmStack
from dev.stack.enrolment import ensure_attested
from ledger.audit.audit import audit
from ledger.errors import MasterKeyMissing, RecoveryKeyError
from ledger.keys import data_keys, file, master_key, vault
from ledger.keys.file import KeyFile
from ledger.keys.master_key import PlainMaster, SealedMaster
from ledger.models import Alert, ChainTransaction, DataKey, LedgerEntry
from ledger.operations import custody
from ledger.recording import tasks
from ledger.signing import signer
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from tests import enrolment
from tests.conftest import CloseSessions, LedgerAccount
from tests.enrolment import pins
from tests.environment import DIRECTORY, RECOVERY_KEY
from tests.ledger.conftest import all_recorded, drive
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


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("ledger_keys", *arguments, stdout=out, stderr=out)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue()
    return 0, out.getvalue()


def the_master(path: Path) -> SealedMaster:
    (master,) = file.read(path).masters
    assert isinstance(master, SealedMaster)
    return master


def opened_keys() -> dict[int, bytes]:
    ring = data_keys.keyring()
    return {row.pk: ring.unwrap(row) for row in DataKey.objects.filter(wrapped__isnull=False)}


def sealed_names(stack: TpmStack) -> set[str]:
    return {item["name"] for item in stack.client()._call("GET", "/sealed")["sealed"]}


def open_alerts() -> dict[str, str]:
    return dict(Alert.objects.filter(closed_at__isnull=True).values_list("code", "message"))


def tokens(count: int) -> list[IdToken]:
    return [IdToken.objects.create(uid=os.urandom(7).hex().upper()) for _ in range(count)]


# --- the TPM is destroyed


def new_signing_key(account: LedgerAccount) -> None:
    """The signing key died with its TPM: the offline `active` key puts a new one into the permission."""
    public_key = account.tpm.client().key_create("ledger").public_key_eosio
    enrol(account.tpm, keys=("ledger",))
    push_actions(account.node.url, [update_auth(account.name, "record", [public_key])], [account.active])
    account.node.wait_for_block(account.node.info()["head_block_num"] + 1)


def drop_everything() -> None:
    for model in (LedgerEntry, ChainTransaction, DataKey, ChargingSession, IdToken, Connector, Station, Site, User):
        model.objects.all().delete()


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


# --- seal


def plain_file(path: Path) -> PlainMaster:
    """A file as version 1 wrote it."""
    plain = PlainMaster(os.urandom(8).hex(), os.urandom(32), os.urandom(32))
    content = {"directory": plain.directory.hex(), "master": [{"id": plain.id, "key": plain.key.hex()}]}
    path.write_text(json.dumps(content))
    return plain


def test_a_plain_file_serves_until_it_is_sealed(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    path = settings.LEDGER_MASTER_KEY_FILE
    plain = plain_file(path)
    close_sessions(1)
    row = DataKey.objects.get()
    wrapped = bytes(row.wrapped or b"")
    data_key = AESGCM(plain.key).decrypt(wrapped[:12], wrapped[12:], bytes(row.key_id))
    assert opened_keys() == {row.pk: data_key}
    status, output = run("status")
    assert status == 1 and "IN THE CLEAR" in output and plain.key.hex() not in output
    text = path.read_text()
    assert "would: replace master key" in run("seal", "--dry-run")[1] and path.read_text() == text
    output = run("seal")[1]
    assert "make a new one, and destroy both" in output
    assert plain.key.hex() not in path.read_text() + output and plain.directory.hex() not in path.read_text()
    assert opened_keys() == {row.pk: data_key} and data_keys.keyring().directory == plain.directory
    assert len(bytes(DataKey.objects.get().wrapped or b"")) == 80
    assert "nothing to do" in run("seal")[1] and "nothing to do" in run("seal", "--dry-run")[1]
    assert run("status")[0] == 0


def test_copies_sealed_with_a_plain_file_are_read_after_it_was_sealed(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    settings: Settings,
    tmp_path: Path,
) -> None:
    plain_file(settings.LEDGER_MASTER_KEY_FILE)
    close_sessions(3)
    record_all()
    run("seal")
    close_sessions(2, token=tokens(1)[0])
    record_all()
    run("backup", str(tmp_path / "keys.json"))
    drop_everything()
    call_command("ledger_restore", "--keys", str(tmp_path / "keys.json"), stdout=io.StringIO())
    report = audit()
    assert report.clean and report.equal == ChargingSession.objects.count() == 5


def test_killed_at_each_step_of_sealing_a_plain_file_loses_nothing(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    path = settings.LEDGER_MASTER_KEY_FILE
    plain = plain_file(path)
    for token in tokens(3):
        close_sessions(1, token=token)
    text, before, names = path.read_text(), opened_keys(), sealed_names(tpm)
    rows = list(DataKey.objects.all())
    for step in killed_at_each_step(custody.seal):
        assert opened_keys() == before, f"killed at step {step}"
        custody.seal()
        assert opened_keys() == before and plain.key.hex() not in path.read_text(), f"killed at step {step}"
        assert sealed_names(tpm) - names == {the_master(path).sealed}, f"killed at step {step}"
        assert not data_keys.master_key_is_due()
        tpm.client().sealed_delete(the_master(path).sealed)
        path.write_text(text)
        DataKey.objects.bulk_update(rows, ["wrapped", "master_key_id"])


def test_an_interrupted_replacement_of_a_plain_file_is_finished(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    """As version 1 left it when it was killed: two plain keys, the rows with the older one."""
    path = settings.LEDGER_MASTER_KEY_FILE
    older = plain_file(path)
    close_sessions(2)
    before = opened_keys()
    newer = PlainMaster(os.urandom(8).hex(), os.urandom(32), older.directory)
    masters = [{"id": item.id, "key": item.key.hex()} for item in (older, newer)]
    path.write_text(json.dumps({"directory": older.directory.hex(), "master": masters}))
    assert data_keys.master_key_is_due() and data_keys.master_key_upkeep()
    assert opened_keys() == before and isinstance(the_master(path), SealedMaster)


def test_the_first_master_key_by_command(tpm: TpmStack, settings: Settings) -> None:
    path = settings.LEDGER_MASTER_KEY_FILE
    assert "none yet" in run("status")[1]
    assert "would: make the first master key" in run("seal", "--dry-run")[1] and not path.exists()
    assert "make the first master key" in run("seal")[1]
    assert "nothing to do" in run("seal")[1]
    status, output = run("status")
    fingerprint = master_key.fingerprint(master_key.recovery_public_load(settings.LEDGER_RECOVERY_PUBLIC_KEY))
    assert status == 0 and output.count(fingerprint) == 2 and "policy release" in output
    assert the_master(path).sealed in output and "opens now        yes" in output


def test_another_recovery_key_and_another_policy(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, tmp_path: Path
) -> None:
    path = settings.LEDGER_MASTER_KEY_FILE
    close_sessions(1)
    before, old = opened_keys(), the_master(path)
    run("recovery-keygen", "--out", str(tmp_path / "new.pem"))
    settings.LEDGER_RECOVERY_PUBLIC_KEY = (tmp_path / "new.pem.pub").read_text()
    settings.LEDGER_MASTER_KEY_POLICY = "none"
    status, output = run("status")
    assert status == 1 and output.count("differs") == 2
    assert run("seal", "--dry-run")[1].count("would: seal master key") == 2 and the_master(path) == old
    run("seal")
    new = the_master(path)
    assert (new.id, new.policy, old.policy) == (old.id, None, "release")
    assert opened_keys() == before and old.sealed not in sealed_names(tpm)
    with pytest.raises(RecoveryKeyError, match="this is recovery key"):
        master_key.recovery_open(new, master_key.recovery_private_load(RECOVERY_KEY.read_bytes()))
    master_key.recovery_open(new, master_key.recovery_private_load((tmp_path / "new.pem").read_bytes()))
    assert run("status")[0] == 0


def test_replacing_after_the_recovery_key_has_leaked(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, tmp_path: Path
) -> None:
    """The leaked key opens the old master key, which opens no row any more."""
    path = settings.LEDGER_MASTER_KEY_FILE
    close_sessions(2)
    before, old = opened_keys(), the_master(path)
    run("recovery-keygen", "--out", str(tmp_path / "new.pem"))
    settings.LEDGER_RECOVERY_PUBLIC_KEY = (tmp_path / "new.pem.pub").read_text()
    output = run("replace")[1]
    assert the_master(path).id in output and the_master(path).id != old.id
    leaked = master_key.recovery_open(old, master_key.recovery_private_load(RECOVERY_KEY.read_bytes()))
    for row in DataKey.objects.all():
        with pytest.raises(MasterKeyMissing):
            leaked.unwrap(bytes(row.key_id), bytes(row.wrapped or b""))
    master_key.recovery_open(the_master(path), master_key.recovery_private_load((tmp_path / "new.pem").read_bytes()))
    assert opened_keys() == before and run("status")[0] == 0


def test_without_a_recovery_key_the_commands_say_what_to_do(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    plain_file(settings.LEDGER_MASTER_KEY_FILE)
    close_sessions(1)
    text, settings.LEDGER_RECOVERY_PUBLIC_KEY = settings.LEDGER_MASTER_KEY_FILE.read_text(), ""
    for options in ([], ["--dry-run"]):
        with pytest.raises(CommandError, match="recovery-keygen"):
            run("seal", *options)
    assert settings.LEDGER_MASTER_KEY_FILE.read_text() == text
    assert "recovery-keygen" in run("status")[1]


def test_status_names_what_is_left_over(tpm: TpmStack, settings: Settings, close_sessions: CloseSessions) -> None:
    path = settings.LEDGER_MASTER_KEY_FILE
    close_sessions(1)
    DataKey.objects.create(key_id=b"s" * 16, wrapped=b"w" * 80, master_key_id="f" * 16)
    file.write(path, KeyFile(file.read(path).masters, ("ledger-master-left",)))
    status, output = run("status")
    assert status == 1 and "1 data keys need master key ffffffffffffffff" in output and "ledger-master-left" in output
    assert data_keys.master_key_upkeep() and "ledger-master-left" not in run("status")[1]


def test_erasing_by_command_says_when_the_master_key_waits(
    tpm: TpmStack, close_sessions: CloseSessions, owner: User
) -> None:
    close_sessions(1)
    tpm.kill_service()
    try:
        output = run("erase", owner.username, "--yes")[1]
    finally:
        tpm.start_service()
    assert "1 sessions of anna" in output and "could not be replaced yet" in output
    assert data_keys.master_key_upkeep()


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
