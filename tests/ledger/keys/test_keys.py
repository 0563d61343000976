"""The master key in the TPM: closing needs no TPM, opening does, and nothing is lost wherever a process is killed."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.parts.tpm_service import TpmStack
from ledger.errors import KeyDestroyed, MasterKeyMissing, RecoveryKeyError
from ledger.keys import data_keys, vault
from ledger.keys import file as keyfile
from ledger.keys.erasure import customer_erase
from ledger.keys.master_key import Secret
from ledger.models import Alert, ChainTransaction, DataKey, LedgerEntry
from ledger.recording import batch_data, tasks, transactions
from ledger.signing import signer
from stations.errors import RecordingUnavailableError
from stations.models import ChargingSession
from tests.conftest import CloseSessions, LedgerAccount
from tests.enrolment import enrolled
from tests.environment import DIRECTORY
from tests.ledger.conftest import all_recorded, drive, open_alerts
from tests.ledger.keys.masters import opened_keys, sealed_names, the_master, tokens
from tests.ledger.recording.killing import ended_well, forked, killed_at_each_step
from tests.people import log_in
from tpm.client import TpmUnavailable
from tpm.models import TpmService

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status


# --- first use


def test_the_first_use_seals_a_master_key(tpm: TpmStack, settings: Settings, close_sessions: CloseSessions) -> None:
    before = sealed_names(tpm)
    close_sessions(3)
    master = the_master(settings.LEDGER_MASTER_KEY_FILE)
    assert sealed_names(tpm) - before == {master.sealed}
    assert Secret.from_bytes(tpm.client().unseal(master.sealed)).id == master.id
    assert set(DataKey.objects.values_list("master_key_id", flat=True)) == {master.id}
    assert all(len(key) == 32 for key in opened_keys().values())


def test_two_processes_at_first_use_make_one_master_key(tpm: TpmStack, settings: Settings, tmp_path: Path) -> None:
    before = sealed_names(tpm)
    read, write = os.pipe()

    def first() -> None:
        os.write(write, data_keys.keyring().current.id.encode())

    children = [forked(first) for _ in range(4)]
    ended = [ended_well(pid) for pid in children]
    assert all(ended)
    found = os.read(read, 1000).decode()
    os.close(read)
    os.close(write)
    master = the_master(settings.LEDGER_MASTER_KEY_FILE)
    assert found == master.id * 4
    assert sealed_names(tpm) - before == {master.sealed}


def test_killed_at_first_use_leaves_nothing_behind(tpm: TpmStack, settings: Settings) -> None:
    path, before = settings.LEDGER_MASTER_KEY_FILE, sealed_names(tpm)
    for _ in killed_at_each_step(data_keys.keyring):
        assert data_keys.master_key_upkeep() and not data_keys.master_key_is_due()
        assert sealed_names(tpm) - before == {the_master(path).sealed}
        tpm.client().sealed_delete(the_master(path).sealed)
        path.unlink()


def test_without_a_recovery_key_nothing_is_sealed(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    before, settings.LEDGER_RECOVERY_PUBLIC_KEY = sealed_names(tpm), ""
    with pytest.raises(RecoveryKeyError, match="recovery-keygen"):
        data_keys.keyring()
    with pytest.raises(RecordingUnavailableError, match="recovery-keygen"):
        close_sessions(1)
    assert not ChargingSession.objects.exists(), "a session is never closed without its entry"
    assert not data_keys.master_key_upkeep()
    assert "recovery-keygen" in Alert.objects.get(code="master_key_due").message
    settings.LEDGER_RECOVERY_PUBLIC_KEY = "no PEM"
    with pytest.raises(RecoveryKeyError, match="expected a PEM"):
        data_keys.keyring()
    assert sealed_names(tpm) == before


def test_the_first_use_without_a_tpm_waits_and_leaves_one_note(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    tpm.kill_service()
    for _ in range(3):
        with pytest.raises(RecordingUnavailableError):
            close_sessions(1)
        assert not data_keys.master_key_upkeep()
    assert open_alerts() == {"master_key_due"}
    file = keyfile.read(settings.LEDGER_MASTER_KEY_FILE)
    assert file.masters == () and len(file.discard) == 1
    tpm.start_service()
    assert data_keys.master_key_upkeep() and open_alerts() == set()
    close_sessions(1)
    assert keyfile.read(settings.LEDGER_MASTER_KEY_FILE).discard == ()


def test_an_unmeasured_service_seals_only_where_the_settings_say_so(tpm: TpmStack, settings: Settings) -> None:
    unmeasured = TpmStack(DIRECTORY / "unmeasured", measured=False)
    unmeasured.start()
    try:
        settings.TPM_SERVICE_URL = unmeasured.service_url
        settings.TPM_TOKEN_URL = unmeasured.provider.token_url
        settings.TPM_CLIENT_ID = unmeasured.portal.client_id
        settings.TPM_CLIENT_SECRET = unmeasured.portal.client_secret
        TpmService.objects.update(name="the measured one")
        enrolled(unmeasured)
        for _ in range(2):
            assert not data_keys.master_key_upkeep()
        assert "policy_unavailable" in Alert.objects.get(code="master_key_due").message
        with pytest.raises(CommandError, match="EVPORTAL_LEDGER_MASTER_KEY_POLICY=none"):
            call_command("ledger_keys", "seal")
        settings.LEDGER_MASTER_KEY_POLICY = "none"
        assert data_keys.master_key_upkeep()
        assert the_master(settings.LEDGER_MASTER_KEY_FILE).policy is None
    finally:
        unmeasured.stop()


def test_a_service_that_is_not_attested_gets_and_opens_nothing(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, asked: list[str]
) -> None:
    close_sessions(1)
    TpmService.objects.update(state=TpmService.State.REFUSED, reason="its files were changed")
    vault._opened.clear()
    asked.clear()
    with pytest.raises(TpmUnavailable, match="its files were changed"):
        data_keys.keyring().unwrap(DataKey.objects.get())
    with pytest.raises(TpmUnavailable, match="not_attested"):
        data_keys.master_key_replace()
    settings.LEDGER_MASTER_KEY_FILE = settings.LEDGER_MASTER_KEY_FILE.with_name("another")
    DataKey.objects.update(master_key_id="")
    assert not data_keys.master_key_upkeep()
    assert not [line for line in asked if "sealed" in line]


# --- closing without the TPM


def test_a_session_of_a_new_token_closes_with_the_tpm_service_down(
    tpm: TpmStack, close_sessions: CloseSessions, asked: list[str], client: Client, owner: User
) -> None:
    close_sessions(1)
    tpm.kill_service()
    asked.clear()
    (token,) = tokens(1)
    (session,) = close_sessions(1, token=token)
    assert LedgerEntry.objects.get(session=session).state == "READY"
    log_in(client, owner)
    assert client.get("/").status_code in (200, 302)
    assert asked == [], "nobody was asked, so nobody can be waited for"
    tpm.start_service()
    assert len(opened_keys()) == 2


def test_a_replaced_file_is_seen_at_once_by_those_who_close(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    close_sessions(1)
    assert ended_well(forked(data_keys.master_key_replace))
    close_sessions(1, token=tokens(1)[0])
    assert set(DataKey.objects.values_list("master_key_id", flat=True)) == {
        the_master(settings.LEDGER_MASTER_KEY_FILE).id
    }


# --- the secret in memory


def test_the_tpm_is_asked_once_and_again_when_the_time_is_over(
    tpm: TpmStack, close_sessions: CloseSessions, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for token in tokens(5):
        close_sessions(1, token=token)
    asked.clear()
    first = opened_keys()
    assert opened_keys() == first and len([line for line in asked if "unseal" in line]) == 1
    (held,) = vault._opened.values()
    held.until = 0.0
    assert opened_keys() == first and len([line for line in asked if "unseal" in line]) == 2
    monkeypatch.setattr(vault, "OPEN_S", -1.0)
    vault._opened.clear()
    data_keys.keyring().unwrap(DataKey.objects.all()[0])
    tpm.kill_service()
    with pytest.raises(TpmUnavailable):
        data_keys.keyring().unwrap(DataKey.objects.all()[0])


def test_an_erased_key_is_not_opened_from_memory(tpm: TpmStack, close_sessions: CloseSessions, owner: User) -> None:
    close_sessions(1)
    assert len(opened_keys()) == 1
    data_keys.destroy(DataKey.objects.all())
    with pytest.raises(KeyDestroyed):
        data_keys.keyring().unwrap(DataKey.objects.get())


def test_a_replaced_secret_is_forgotten(tpm: TpmStack, close_sessions: CloseSessions) -> None:
    close_sessions(1)
    opened_keys()
    data_keys.master_key_replace()
    opened_keys()
    assert set(vault._opened) == {data_keys.keyring().current.id}


def test_many_threads_open_the_same(tpm: TpmStack, close_sessions: CloseSessions) -> None:
    for token in tokens(4):
        close_sessions(1, token=token)
    rows, found = list(DataKey.objects.all()), []

    def work() -> None:
        ring = data_keys.keyring()
        found.append([ring.unwrap(row) for row in rows])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(one == found[0] for one in found)


# --- sealed objects that are not what they should be


def wrong_object(kind: str, stack: TpmStack, path: Path) -> None:
    client, master = stack.client(), the_master(path)
    other = Secret.new(os.urandom(32))
    if kind == "of another portal":
        name = f"ledger-master-{other.id}-00000000"
        client.seal(name, other.to_bytes())
        file = keyfile.read(path)
        keyfile.write(path, keyfile.KeyFile((replace(master, sealed=name),), file.discard))
        return
    client.sealed_delete(master.sealed)
    if kind == "swapped":
        client.seal(master.sealed, other.to_bytes())
    elif kind == "overwritten":
        client.seal(master.sealed, b"nothing of ours")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("deleted", "sealed_not_found"),
        ("swapped", "holds master key"),
        ("overwritten", "expected a master key"),
        ("of another portal", "holds master key"),
    ],
)
def test_a_wrong_sealed_object_is_named(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, kind: str, words: str
) -> None:
    close_sessions(1)
    wrong_object(kind, tpm, settings.LEDGER_MASTER_KEY_FILE)
    vault._opened.clear()
    with pytest.raises(MasterKeyMissing, match=words):
        data_keys.keyring().unwrap(DataKey.objects.get())
    with pytest.raises(MasterKeyMissing, match=words):
        data_keys.master_key_replace()
    assert DataKey.objects.get().master_key_id == the_master(settings.LEDGER_MASTER_KEY_FILE).id


# --- the batching path


def test_the_batching_path_asks_no_more_than_it_must(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    asked: list[str],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """One signature a batch; the master key is opened once a process, and the rows are read in one query."""
    close_sessions(3)
    drive(all_recorded)
    vault._opened.clear()
    for token in tokens(5):
        close_sessions(2, token=token)
    row = transactions.transaction_batch()
    assert row is not None
    asked.clear()
    with django_assert_num_queries(2):  # and whether the service is attested
        batch_data.records(row)
    name = the_master(django_settings.LEDGER_MASTER_KEY_FILE).sealed
    assert [line for line in asked if "sealed" in line] == [f"POST /sealed/{name}/unseal"]
    asked.clear()
    with django_assert_num_queries(1):
        batch_data.records(row)
    assert asked == []
    assert transactions.transactions_sign(transactions=[row])
    assert [line for line in asked if line.startswith("POST")] == ["POST /keys/ledger/sign"]


@pytest.mark.parametrize("part", ["service", "swtpm"])
def test_a_closed_master_key_and_no_tpm_stays_batched(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, part: str, asked: list[str]
) -> None:
    close_sessions(1)
    stack = ledger_account.tpm
    getattr(stack, f"kill_{part}")()
    vault._opened.clear()
    try:
        close_sessions(3, token=tokens(1)[0])
        tasks.anchor()
        row = ChainTransaction.objects.get()
        assert (row.status, row.packed) == (S.BATCHED, None)
        assert open_alerts() == {"tpm_unavailable"}
        asked.clear()
        tasks.sweep()
        assert len(asked) <= 2, "no hot loop"
    finally:
        stack.start_service() if part == "service" else stack.swtpm.start()
    drive(all_recorded)
    assert open_alerts() == set()


def test_a_deleted_sealed_object_raises_the_alert(ledger_account: LedgerAccount, close_sessions: CloseSessions) -> None:
    close_sessions(1)
    signer.signer().client.sealed_delete(the_master(django_settings.LEDGER_MASTER_KEY_FILE).sealed)
    vault._opened.clear()
    tasks.anchor()
    assert ChainTransaction.objects.get().status == S.BATCHED
    alert = Alert.objects.get(closed_at__isnull=True)
    assert alert.code == "master_key" and "ledger_keys recover" in alert.message


def test_erasing_while_nobody_can_be_asked_goes_on_in_the_sweep(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, owner: User, record_all: Callable[[], None]
) -> None:
    close_sessions(2)
    record_all()
    old = data_keys.keyring().current.id
    ledger_account.tpm.kill_service()
    customer_erase(customer=owner)
    assert open_alerts() == {"master_key_due"}
    ledger_account.tpm.start_service()
    drive(lambda: not data_keys.master_key_is_due())
    assert data_keys.keyring().current.id != old and open_alerts() == set()


def test_closing_in_a_transaction_that_fails_leaves_no_key(tpm: TpmStack, close_sessions: CloseSessions) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        close_sessions(1)
        raise ZeroDivisionError
    assert not DataKey.objects.exists()
    close_sessions(1)
    assert len(opened_keys()) == 1
