"""From one signing key to the next: with a real chain and TPM, under load, killed anywhere, and with parts away."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.chain_setup import update_auth
from dev.keys import new_keypair
from dev.nodeos import Nodeos
from dev.transactions import push_actions
from ledger import antelope, chain, checks, permissions, receipt, rotation, services, signing_keys, tasks
from ledger.errors import Unauthorized
from ledger.models import Alert, ChainTransaction, KeyRotation, LedgerEntry, SigningKey
from ledger.rotation import Rotation, RotationBusy, RotationError
from ledger.signer import TpmSigner, signer
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import all_recorded, drive
from tpm.client import TpmRefused

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]
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
    assert account.chain.state()["count"] == len(digests)


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
            thread.join(60)


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
    assert not Alert.objects.exists(), "nobody was alarmed meanwhile either"
    drive(all_recorded, timeout_s=60)
    assert_recorded_once(ledger_account)
    signed = ChainTransaction.objects.filter(status=S.IRREVERSIBLE)
    assert set(signed.values_list("public_key", flat=True)) == {old, new}
    assert not ChainTransaction.objects.exclude(status=S.IRREVERSIBLE).exists(), "nothing was refused or ran out"
    for key in (old, new):
        entry = LedgerEntry.objects.filter(transaction__public_key=key).select_related("session").first()
        assert entry is not None and entry.session is not None
        steps = checks.verify_session(entry.session)
        assert receipt.verdict(steps) == "VERIFIED", steps
        assert "made in the TPM of AK" in steps[7].note
    fingerprint = checks.published_ak(new)
    assert fingerprint and new in text and fingerprint in text.split("Publish")[1]


def test_the_chain_refuses_the_old_key_afterwards(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, name: str
) -> None:
    rotate(name)
    unsigned = chain.chain().build([(10**6, bytes(32), b"")], expiration_s=60)
    (signature,) = signer("ledger").sign_many([unsigned.digest])
    with pytest.raises(Unauthorized):
        chain.chain().send(unsigned.packed, signature)
    back = chain.chain().build_permission([signer("ledger").to_public()], parent="active", expiration_s=60)
    (signature,) = signer("ledger").sign_many([back.digest])
    with pytest.raises(Unauthorized):
        chain.chain().send(back.packed, signature)


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
    "it is certified": ("tpm.register.certify", "after"),
    "it has signed on trial": ("ledger.signer.TpmSigner.sign_many", "after"),
    "a change is committed": ("ledger.permission_change.PermissionChange._send", "before"),
    "a change is sent": ("ledger.chain.Chain.send", "after"),
    "a change is in a block": ("ledger.rotation.Rotation._advance", "before"),
    "the step is committed": ("ledger.rotation.Rotation._advance", "after"),
    "records change hands": ("ledger.signing_keys.switch", "before"),
    "records have changed hands": ("ledger.signing_keys.switch", "after"),
    "the old key is put out": ("ledger.signing_keys.retire", "before"),
    "the old key is retired": ("ledger.signing_keys.retire", "after"),
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
        if not signing_keys.unfinished_rotation():
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
    drive(all_recorded, timeout_s=60)
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
        thread.join(60)
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


# --- a part is away


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
        thread.join(60)
    assert wrong == [] and not thread.is_alive(), said


@pytest.mark.parametrize("step", STEPS)
def test_the_tpm_away_at_a_step_is_waited_for(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, name: str, step: KeyRotation.Step
) -> None:
    old = signer().to_public()
    rotate_until(step, name)
    ledger_account.tpm.swtpm.kill()
    with running(name) as said:
        time.sleep(1.5)
        ledger_account.tpm.swtpm.start()  # by the thread with which it lives and dies
    if step != Step.SETTLE:
        assert any("waiting for the TPM service" in text for text in said), said
    close_sessions(1)
    drive(all_recorded)
    assert_rotated(ledger_account, old, name)


@pytest.mark.parametrize("step", [Step.ADD, Step.SETTLE, Step.REMOVE])
def test_the_chain_away_at_a_step_is_waited_for(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings, name: str, step: KeyRotation.Step
) -> None:
    settings.LEDGER_CLAIM_S = 1
    close_sessions(2)
    assert services.transactions_sign(transactions=services.transactions_batch(limit=1))
    rotate_until(step, name)
    nodes, settings.LEDGER_NODES = settings.LEDGER_NODES, ["http://127.0.0.1:1"]
    with running(name) as said:
        time.sleep(1)
        settings.LEDGER_NODES = nodes
    assert any("waiting for the chain" in text for text in said), said
    assert record_keys(ledger_account) == {signer(name).to_public()}


def test_signatures_made_while_the_key_changes_are_not_committed(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has asked the TPM, and the rotation switches before the signatures are stored."""
    close_sessions(3)
    rotate_until(Step.SWITCH, name)
    (row,) = services.transactions_batch(limit=1)
    real = signing_keys.hold

    def slow(**options: str) -> bool:
        assert signing_keys.switch(signing_keys.unfinished_rotation())  # type: ignore[arg-type]
        return real(**options)

    monkeypatch.setattr(signing_keys, "hold", slow)
    assert not services.transactions_sign(transactions=[row])
    monkeypatch.undo()
    row.refresh_from_db()
    assert (row.status, row.public_key, row.claimed_until) == (S.BATCHED, "", None)
    Rotation(rotation.prepare(None), lambda text: None).run()
    drive(all_recorded)
    row.refresh_from_db()
    assert row.public_key == signer(name).to_public()


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


# --- the transaction that changes the permission


def test_a_change_that_did_not_get_in_in_time_is_made_anew(
    ledger_account: LedgerAccount, name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEDGER_EXPIRATION_S = 2
    rotate_until(Step.ADD, name)
    real, lost = chain.Chain.send, list[bytes]()

    def swallow(self: chain.Chain, packed: bytes, signature: str) -> None:
        if lost and packed != lost[0]:
            return real(self, packed, signature)
        lost.append(packed)
        return None

    monkeypatch.setattr(chain.Chain, "send", swallow)
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
    monkeypatch.setattr(chain.Chain, "status", lambda self, transaction_id: chain.Status("UNKNOWN"))
    Rotation(rotation.prepare(name), lambda text: None).run()
    assert_rotated(ledger_account, old, name)


def test_a_refusal_of_the_chain_ends_it_with_its_reason(
    ledger_account: LedgerAccount, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = signer().to_public()
    rotate_until(Step.ADD, name)

    def refuse(self: chain.Chain, packed: bytes, signature: str) -> None:
        raise Unauthorized("missing required signatures", 3090003)

    with monkeypatch.context() as patched:
        patched.setattr(chain.Chain, "send", refuse)
        with pytest.raises(CommandError, match="missing required signatures"):
            rotate(None)
    assert record_keys(ledger_account) == {old}, "nothing was changed"
    rotate(None)
    assert_rotated(ledger_account, old, name)
