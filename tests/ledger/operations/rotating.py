"""Rotations of the signing key in tests: step by step, in threads, and what has to hold afterwards."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from ledger.models import Alert, ChainTransaction, KeyRotation, LedgerEntry, SigningKey
from ledger.operations import rotation
from ledger.operations.rotation import Rotation
from ledger.recording import tasks
from ledger.signing import permissions
from ledger.signing.signer import signer
from tests.conftest import LedgerAccount
from tests.waiting import until

ROOT = Path(__file__).parents[3]
S, Step = ChainTransaction.Status, KeyRotation.Step
STEPS = [Step.MAKE, Step.ADD, Step.SWITCH, Step.SETTLE, Step.REMOVE]


@pytest.fixture
def name(ledger_account: LedgerAccount) -> str:
    """A name that no other test's key in the shared TPM service has."""
    return f"ledger-{ledger_account.name.replace('.', '-')}"


def take_step() -> None:
    """A process that takes one step and ends."""
    drive = Rotation(rotation.prepare(None), lambda text: None)
    drive.claim()
    drive.step()
    drive.release()


def rotate_until(step: KeyRotation.Step, name: str) -> None:
    row = rotation.prepare(name)
    while row.step != step:
        take_step()
        row.refresh_from_db()


def rotate(name: str | None) -> str:
    out = io.StringIO()
    call_command("ledger_rotate_key", *([name] if name else []), yes=True, stdout=out)
    return out.getvalue()


def record_keys(account: LedgerAccount) -> set[str]:
    found = {p["perm_name"]: p["required_auth"] for p in account.chain.account_info()["permissions"]}
    assert found["record"]["threshold"] == 1
    return {item["key"] for item in found["record"]["keys"]}


def keys_by_status() -> dict[str, str]:
    return dict(SigningKey.objects.values_list("status", "public_key"))


def assert_recorded_once(account: LedgerAccount) -> None:
    digests = {pk: bytes(digest) for pk, digest in LedgerEntry.objects.values_list("id", "digest")}
    assert account.chain.rows(0, max(digests) + 100) == digests
    assert account.chain.state().count == len(digests)


def assert_rotated(account: LedgerAccount, old: str, name: str) -> str:
    """The new key signs, alone, and nobody is alarmed; returns it."""
    new = signer().to_public()
    assert signer().key == name and new != old
    assert record_keys(account) == {new}
    assert keys_by_status() == {"ACTIVE": new, "RETIRED": old}
    assert permissions.check() == [] and not Alert.objects.filter(closed_at__isnull=True).exists()
    return new


@contextmanager
def working(close: Callable[[], Any] | None = None) -> Iterator[list[BaseException]]:
    """Two workers and a stream of closing sessions, as threads, until the block ends."""
    end, wrong = threading.Event(), list[BaseException]()

    def loop(step: Callable[[], Any], pause_s: float) -> None:
        try:
            while not end.is_set():
                step()
                time.sleep(pause_s)
        except BaseException as error:  # noqa: BLE001  told to the test
            wrong.append(error)
        finally:
            connections.close_all()

    jobs: list[tuple[Callable[[], Any], float]] = [
        (tasks.sweep, 0.1),
        (tasks.anchor, 0.2),
        (tasks.watch_permissions, 0.2),
    ]
    if close:
        jobs.append((close, 0.05))
    threads = [threading.Thread(target=loop, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        end.set()
        for thread in threads:
            thread.join(120)


@contextmanager
def running(name: str) -> Iterator[list[str]]:
    """The rotation goes on in a thread of its own, to its end; what it says."""
    said, wrong = list[str](), list[BaseException]()

    def run() -> None:
        try:
            Rotation(rotation.prepare(name), said.append).run()
        except BaseException as error:  # noqa: BLE001  told to the test
            wrong.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield said
    finally:
        thread.join(120)
    assert wrong == [] and not thread.is_alive(), said


def wait_said(said: list[str], words: str) -> None:
    """Return when the rotation has said that."""
    until(lambda: any(words in text for text in said), what=f"{words!r} was said")
