"""Replacing the master key, and erasing: the old one is destroyed, and no step of it loses anything."""

import threading
from pathlib import Path

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.parts.tpm_service import TpmStack
from ledger.keys import data_keys, sealing, vault
from ledger.keys import file as keyfile
from ledger.keys.erasure import customer_erase
from ledger.models import DataKey
from tests.conftest import CloseSessions
from tests.ledger.conftest import open_alerts
from tests.ledger.keys.masters import opened_keys, sealed_names, the_master, tokens
from tests.ledger.recording.killing import ended_well, forked, killed_at_each_step

pytestmark = pytest.mark.django_db(transaction=True)


# --- replacing


def test_replacing_destroys_the_old_master_key(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions
) -> None:
    for token in tokens(3):
        close_sessions(1, token=token)
    path, before = settings.LEDGER_MASTER_KEY_FILE, opened_keys()
    old = the_master(path)
    names = sealed_names(tpm)
    assert data_keys.master_key_replace() == the_master(path).id != old.id
    assert sealed_names(tpm) == (names - {old.sealed}) | {the_master(path).sealed}
    assert old.sealed not in path.read_text() and opened_keys() == before


def test_more_keys_than_are_rewrapped_at_once(
    tpm: TpmStack, close_sessions: CloseSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_keys, "REWRAP_AT_ONCE", 3)
    for token in tokens(8):
        close_sessions(1, token=token)
    before = opened_keys()
    master_key_id = data_keys.master_key_replace()
    assert opened_keys() == before
    assert set(DataKey.objects.values_list("master_key_id", flat=True)) == {master_key_id}


def test_killed_at_each_step_of_replacing_loses_nothing(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_keys, "REWRAP_AT_ONCE", 2)
    for token in tokens(5):
        close_sessions(1, token=token)
    path, before, names = settings.LEDGER_MASTER_KEY_FILE, opened_keys(), sealed_names(tpm)
    names.remove(the_master(path).sealed)
    for step in killed_at_each_step(data_keys.master_key_replace):
        assert opened_keys() == before, f"killed at step {step}"
        close_sessions(1)
        assert data_keys.master_key_upkeep() and not data_keys.master_key_is_due()
        assert {pk: key for pk, key in opened_keys().items() if pk in before} == before
        assert sealed_names(tpm) - names == {the_master(path).sealed}, f"killed at step {step}"
        before = opened_keys()


def test_whoever_makes_keys_while_the_master_key_is_replaced_loses_none(
    tpm: TpmStack, close_sessions: CloseSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_keys, "REWRAP_AT_ONCE", 5)
    for token in tokens(20):
        close_sessions(1, token=token)
    new, failed = tokens(30), []
    stop = threading.Event()

    def close() -> None:
        try:
            for token in new:
                close_sessions(1, token=token)
        except Exception as error:  # noqa: BLE001 - told to the test, which fails
            failed.append(error)
        finally:
            stop.set()
            connection.close()

    closing = threading.Thread(target=close)
    closing.start()
    while not stop.is_set():
        data_keys.master_key_replace()
    closing.join()
    assert not failed and len(opened_keys()) == 50


def test_a_row_of_an_unknown_master_key_is_left_alone(tpm: TpmStack, close_sessions: CloseSessions) -> None:
    """As an older backup brings it: nothing here opens it, and that keeps nobody from replacing."""
    close_sessions(1)
    stranger = DataKey.objects.create(key_id=b"s" * 16, wrapped=b"w" * 80, master_key_id="f" * 16)
    data_keys.master_key_replace()
    stranger.refresh_from_db()
    assert (bytes(stranger.wrapped or b""), stranger.master_key_id) == (b"w" * 80, "f" * 16)


# --- erasing


def test_erasing_with_the_tpm_down_destroys_the_keys_and_replaces_later(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, owner: User
) -> None:
    close_sessions(2)
    close_sessions(1, token=tokens(1)[0])
    old = the_master(settings.LEDGER_MASTER_KEY_FILE)
    tpm.kill_service()
    vault._opened.clear()
    assert customer_erase(customer=owner) == 2
    assert DataKey.objects.filter(destroyed_at__isnull=False, wrapped__isnull=True).count() == 1
    assert open_alerts() == {"master_key_due"} and data_keys.master_key_is_due()
    for _ in range(3):
        assert not data_keys.master_key_upkeep()
    file = keyfile.read(settings.LEDGER_MASTER_KEY_FILE)
    assert file.masters == (old,) and len(file.discard) <= 1
    close_sessions(1, token=tokens(1)[0])
    tpm.start_service()
    assert data_keys.master_key_upkeep() and not data_keys.master_key_is_due()
    assert open_alerts() == set()
    assert old.sealed not in sealed_names(tpm)
    assert len(opened_keys()) == 2


def test_the_tpm_that_goes_away_while_replacing(
    tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old sealed object cannot be destroyed: the rows are with the new key, and the sweep destroys it later."""
    close_sessions(1)
    old = the_master(settings.LEDGER_MASTER_KEY_FILE)
    real = sealing.drop_old

    def drop_old(path: Path, file: keyfile.KeyFile) -> keyfile.KeyFile:
        tpm.kill_service()
        return real(path, file)

    monkeypatch.setattr(sealing, "drop_old", drop_old)
    customer_erase(customer=owner)
    assert open_alerts() == {"master_key_due"}
    file = keyfile.read(settings.LEDGER_MASTER_KEY_FILE)
    assert len(file.masters) == 1 and file.discard == (old.sealed,)
    tpm.start_service()
    assert old.sealed in sealed_names(tpm)
    assert data_keys.master_key_upkeep()
    assert old.sealed not in sealed_names(tpm) and open_alerts() == set()


def test_two_who_replace_at_once(tpm: TpmStack, settings: Settings, close_sessions: CloseSessions, owner: User) -> None:
    close_sessions(1)
    close_sessions(1, token=tokens(1)[0])
    data_keys.destroy(DataKey.objects.filter(id_token__customer=owner))
    before, names = opened_keys(), sealed_names(tpm) - {the_master(settings.LEDGER_MASTER_KEY_FILE).sealed}
    children = [forked(data_keys.master_key_upkeep) for _ in range(3)]
    ended = [ended_well(pid) for pid in children]
    assert all(ended)
    assert data_keys.master_key_upkeep() and opened_keys() == before
    assert sealed_names(tpm) - names == {the_master(settings.LEDGER_MASTER_KEY_FILE).sealed}
