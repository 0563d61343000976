"""The commands with which an operator seals, replaces and looks at the master key."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.parts.tpm_service import TpmStack
from ledger.audit.audit import audit
from ledger.errors import MasterKeyMissing, RecoveryKeyError
from ledger.keys import data_keys, file, master_key
from ledger.keys.file import KeyFile
from ledger.keys.master_key import PlainMaster, SealedMaster
from ledger.models import DataKey
from ledger.operations import custody
from stations.models import ChargingSession
from tests.conftest import CloseSessions, LedgerAccount
from tests.environment import RECOVERY_KEY
from tests.ledger.keys.masters import drop_everything, opened_keys, run, sealed_names, the_master, tokens
from tests.ledger.recording.killing import killed_at_each_step

pytestmark = pytest.mark.django_db(transaction=True)


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
