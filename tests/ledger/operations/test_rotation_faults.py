"""A rotation of the signing key that is killed anywhere, whose parts are away, or whose transaction is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from ledger.chain import antelope, node
from ledger.errors import Unauthorized
from ledger.models import KeyRotation
from ledger.operations import rotation
from ledger.operations.rotation import Rotation
from ledger.recording import transactions
from ledger.signing import keys, permissions
from ledger.signing.signer import signer
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import all_recorded, drive
from tests.ledger.operations.rotating import (
    ROOT,
    STEPS,
    S,
    Step,
    assert_recorded_once,
    assert_rotated,
    name,
    record_keys,
    rotate,
    rotate_until,
    running,
    take_step,
    wait_said,
    working,
)

__all__ = ["name"]  # fixture

pytestmark = pytest.mark.django_db(transaction=True)


# --- killed


class Killed(BaseException):
    """As kill -9: nothing of the process runs after it."""


def test_left_after_every_step_it_goes_on_to_the_same_end(ledger_account: LedgerAccount, name: str) -> None:
    """Each step by another process; between them the permission watch expects what is there."""
    old = signer().to_public()
    rotation.prepare(name)
    for step in STEPS:
        row = rotation.prepare(None)
        assert row.step == step
        take_step()
        assert permissions.check() == [], step
    assert_rotated(ledger_account, old, name)


POINTS = {
    "the key is made": ("tpm.client.TpmClient.key_create", "after"),
    "it is certified": ("tpm.register.register.certify", "after"),
    "it has signed on trial": ("ledger.signing.signer.TpmSigner.sign_many", "after"),
    "a change is committed": ("ledger.operations.permission_change.PermissionChange._send", "before"),
    "a change is sent": ("ledger.chain.node.Chain.send", "after"),
    "a change is in a block": ("ledger.operations.rotation.Rotation._advance", "before"),
    "the step is committed": ("ledger.operations.rotation.Rotation._advance", "after"),
    "records change hands": ("ledger.signing.keys.switch", "before"),
    "records have changed hands": ("ledger.signing.keys.switch", "after"),
    "the old key is put out": ("ledger.signing.keys.retire", "before"),
    "the old key is retired": ("ledger.signing.keys.retire", "after"),
}


@pytest.mark.parametrize("point", POINTS)
def test_killed_within_a_step_it_goes_on_to_the_same_end(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    name: str,
    point: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every time that this point is reached, the process ends there; the next one goes past it."""
    target, when = POINTS[point]
    old = signer().to_public()
    close_sessions(2)
    passed = 0

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal passed
            passed += 1
            if passed % 2 == 0:
                return real(*args, **options)
            if when == "after":
                real(*args, **options)
            raise Killed

        return call

    for _ in range(12):
        with monkeypatch.context() as patched:
            module, _, attribute = target.rpartition(".")
            owner = _resolve(module)
            patched.setattr(owner, attribute, deadly(getattr(owner, attribute)))
            with suppress(Killed):
                Rotation(rotation.prepare(name), lambda text: None).run()
                break
        KeyRotation.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        if not keys.unfinished_rotation():
            break
    assert passed >= 1
    close_sessions(2)
    drive(all_recorded)
    assert_rotated(ledger_account, old, name)
    assert_recorded_once(ledger_account)


def _resolve(path: str) -> Any:
    from importlib import import_module

    try:
        return import_module(path)
    except ModuleNotFoundError:
        module, _, attribute = path.rpartition(".")
        return getattr(import_module(module), attribute)


def test_kill_9_at_each_line_that_it_prints(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings, name: str, tmp_path: Path
) -> None:
    """The command as a process of its own, under load, killed with SIGKILL whenever it has said a new step."""
    old = signer().to_public()
    close_sessions(3)
    seen: set[str] = set()
    with working(lambda: close_sessions(2)) as wrong:
        for _ in range(8):
            if _run_until_new_step(settings, name, seen):
                break
    assert wrong == []
    assert seen == set(STEPS) | {"DONE"}
    drive(all_recorded)
    assert_rotated(ledger_account, old, name)
    assert_recorded_once(ledger_account)


def _run_until_new_step(settings: Settings, name: str, seen: set[str]) -> bool:
    """True when it ended by itself."""
    command = [sys.executable, "-u", "manage.py", "ledger_rotate_key", name, "--yes"]
    with subprocess.Popen(
        command, cwd=ROOT, env=_environment(settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            step = next((word for word in line.split() if word in Step.values), None)
            if step == "DONE":
                seen.add(step)
            elif step and step not in seen:
                seen.add(step)
                process.send_signal(signal.SIGKILL)
    assert process.returncode in (0, -signal.SIGKILL), "".join(lines)
    return process.returncode == 0


def _environment(settings: Settings) -> dict[str, str]:
    """The settings of this test, for a process of its own."""
    database = connection.settings_dict
    if connection.vendor == "postgresql":
        host, port = database["HOST"], database["PORT"]
        url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{host}:{port}/{database['NAME']}"
        url = url if "/" not in str(host) else str(os.environ["EVPORTAL_DATABASE_URL"])
    else:
        url = f"sqlite:///{database['NAME']}"
    return {
        **os.environ,
        "EVPORTAL_DATABASE_URL": url,
        "EVPORTAL_LEDGER_NODES": ",".join(settings.LEDGER_NODES),
        "EVPORTAL_LEDGER_CHAIN_ID": settings.LEDGER_CHAIN_ID,
        "EVPORTAL_LEDGER_ACCOUNT": settings.LEDGER_ACCOUNT,
        "EVPORTAL_LEDGER_OWNER_KEY": settings.LEDGER_OWNER_KEY,
        "EVPORTAL_LEDGER_ACTIVE_KEY": settings.LEDGER_ACTIVE_KEY,
        "EVPORTAL_LEDGER_CLAIM_S": "2",
        "EVPORTAL_LEDGER_EXPIRATION_S": "20",
        "EVPORTAL_TPM_SERVICE_URL": settings.TPM_SERVICE_URL,
        "EVPORTAL_TPM_TOKEN_URL": settings.TPM_TOKEN_URL,
        "EVPORTAL_TPM_CLIENT_ID": settings.TPM_CLIENT_ID,
        "EVPORTAL_TPM_CLIENT_SECRET": settings.TPM_CLIENT_SECRET,
        "EVPORTAL_TPM_ATTESTATION": settings.TPM_ATTESTATION,
        "EVPORTAL_LOG_LEVEL": "ERROR",
    }


# --- a part is away


@pytest.mark.parametrize("step", STEPS)
def test_the_tpm_away_at_a_step_is_waited_for(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, name: str, step: KeyRotation.Step
) -> None:
    old = signer().to_public()
    rotate_until(step, name)
    ledger_account.tpm.swtpm.kill()
    with running(name) as said:
        if step == Step.SETTLE:  # it may need no TPM
            time.sleep(1.5)
        else:
            wait_said(said, "waiting for the TPM service")
        ledger_account.tpm.swtpm.start()  # by the thread with which it lives and dies
    close_sessions(1)
    drive(all_recorded)
    assert_rotated(ledger_account, old, name)


@pytest.mark.parametrize("step", [Step.ADD, Step.SETTLE, Step.REMOVE])
def test_the_chain_away_at_a_step_is_waited_for(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings, name: str, step: KeyRotation.Step
) -> None:
    settings.LEDGER_CLAIM_S = 1
    close_sessions(2)
    assert transactions.transactions_sign(transactions=transactions.transactions_batch(limit=1))
    rotate_until(step, name)
    nodes, settings.LEDGER_NODES = settings.LEDGER_NODES, ["http://127.0.0.1:1"]
    with running(name) as said:
        wait_said(said, "waiting for the chain")
        settings.LEDGER_NODES = nodes
    assert record_keys(ledger_account) == {signer(name).to_public()}


def test_signatures_made_while_the_key_changes_are_not_committed(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has asked the TPM, and the rotation switches before the signatures are stored."""
    close_sessions(3)
    rotate_until(Step.SWITCH, name)
    (row,) = transactions.transactions_batch(limit=1)
    real = keys.hold

    def slow(**options: str) -> bool:
        assert keys.switch(keys.unfinished_rotation())  # type: ignore[arg-type]
        return real(**options)

    monkeypatch.setattr(keys, "hold", slow)
    assert not transactions.transactions_sign(transactions=[row])
    monkeypatch.undo()
    row.refresh_from_db()
    assert (row.status, row.public_key, row.claimed_until) == (S.BATCHED, "", None)
    Rotation(rotation.prepare(None), lambda text: None).run()
    drive(all_recorded)
    row.refresh_from_db()
    assert row.public_key == signer(name).to_public()


# --- the transaction that changes the permission


def test_a_change_that_did_not_get_in_in_time_is_made_anew(
    ledger_account: LedgerAccount, name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEDGER_EXPIRATION_S = 2
    rotate_until(Step.ADD, name)
    real, lost = node.Chain.send, list[bytes]()

    def swallow(self: node.Chain, packed: bytes, signature: str) -> None:
        if lost and packed != lost[0]:
            return real(self, packed, signature)
        lost.append(packed)
        return None

    monkeypatch.setattr(node.Chain, "send", swallow)
    Rotation(rotation.prepare(None), lambda text: None).run()
    assert record_keys(ledger_account) == {signer(name).to_public()}
    row = KeyRotation.objects.get()
    assert row.transaction_id != antelope.transaction_id(lost[0]).hex()


def test_a_node_without_statuses_will_do(
    ledger_account: LedgerAccount, name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block is then searched when the transaction's time is over."""
    settings.LEDGER_EXPIRATION_S = 3
    old = signer().to_public()
    monkeypatch.setattr(node.Chain, "status", lambda self, transaction_id: node.Status("UNKNOWN"))
    Rotation(rotation.prepare(name), lambda text: None).run()
    assert_rotated(ledger_account, old, name)


def test_a_refusal_of_the_chain_ends_it_with_its_reason(
    ledger_account: LedgerAccount, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = signer().to_public()
    rotate_until(Step.ADD, name)

    def refuse(self: node.Chain, packed: bytes, signature: str) -> None:
        raise Unauthorized("missing required signatures", 3090003)

    with monkeypatch.context() as patched:
        patched.setattr(node.Chain, "send", refuse)
        with pytest.raises(CommandError, match="missing required signatures"):
            rotate(None)
    assert record_keys(ledger_account) == {old}, "nothing was changed"
    rotate(None)
    assert_rotated(ledger_account, old, name)
