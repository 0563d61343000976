"""Parts end and come back: the service says so, recovers by itself, and the key is the same."""

import base64
import json
import os
import secrets
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from dev.parts.swtpm import control_path
from dev.parts.tpm_service import SCOPES, TpmStack
from tests.tpm.verifier import oracle
from tests.waiting import until
from tpm.client import Key, TpmClient, TpmError, TpmRefused, TpmUnavailable


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TpmStack]:
    """A stack of this module's own, with a short queue, to be maltreated; not measured, so that nothing is reset."""
    settings = {"TPM_QUEUE_PLACES": "2", "TPM_QUEUE_DEADLINE_S": "0.5"}
    stack = TpmStack(tmp_path_factory.mktemp("tpm"), settings, measured=False)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def client(stack: TpmStack) -> TpmClient:
    return stack.client()


@pytest.fixture(scope="module")
def key(client: TpmClient) -> Key:
    return client.key_create("ledger")


def signs(client: TpmClient, key: Key) -> bool:
    digest = secrets.token_bytes(32)
    return oracle.recovered(digest, client.sign(key.name, digest)) == key.public_key_eosio


def restart(stack: TpmStack) -> None:
    stack.kill_service()
    stack.start_service()


def tampered(file: str, field: str) -> str:
    """Return a key file with one byte of a field changed."""
    data = json.loads(file)
    value = bytearray(base64.b64decode(data[field]))
    value[-1] ^= 1
    return json.dumps({**data, field: base64.b64encode(value).decode()})


def soon(check: Callable[[], bool]) -> None:
    until(check, but=(TpmUnavailable,))


def test_tpm_killed_and_back(stack: TpmStack, client: TpmClient, key: Key) -> None:
    assert signs(client, key)
    stack.kill_swtpm()
    with pytest.raises(TpmUnavailable, match="tpm_unavailable"):
        client.sign("ledger", bytes(32))
    assert (stack.health_status(), client.health()) == (
        503,
        {"live": True, "tpm": "unavailable", "integrity": "unmeasured"},
    )
    assert client.key_get("ledger") == key
    stack.swtpm.start()
    soon(lambda: signs(client, key))
    assert client.health() == {"live": True, "tpm": "ok", "integrity": "unmeasured"}


def test_tpm_replaced_between_two_requests(stack: TpmStack, client: TpmClient, key: Key) -> None:
    """The first request after it meets a dead connection, and does not notice."""
    stack.kill_swtpm()
    stack.swtpm.start()
    assert signs(client, key)


def test_tpm_reset_behind_our_back(stack: TpmStack, client: TpmClient, key: Key) -> None:
    """A reset (here through swtpm's control channel) keeps the connection but takes the loaded keys away."""
    assert signs(client, key)
    reset = ["swtpm_ioctl", "--unix", str(control_path(stack.swtpm.socket)), "-i"]
    subprocess.run(reset, check=True, timeout=60)
    assert signs(client, key)


def test_service_killed_and_back(stack: TpmStack, client: TpmClient, key: Key) -> None:
    stack.kill_service()
    with pytest.raises(TpmUnavailable, match="connection"):
        client.key_get("ledger")
    stack.start_service()
    assert client.key_get("ledger") == key
    soon(lambda: signs(client, key))


def test_service_killed_again_and_again_fills_no_slot(stack: TpmStack, client: TpmClient, key: Key) -> None:
    """Each dead service leaves a loaded key in the TPM; there are three slots."""
    for _ in range(4):
        assert signs(client, key)
        restart(stack)
    assert signs(client, key)


def test_slots_filled_by_somebody_else(stack: TpmStack, client: TpmClient, key: Key) -> None:
    stack.service.stop()
    for _ in range(3):
        leak = ["tpm2_createprimary", "-Q", "-T", stack.swtpm.tcti]
        subprocess.run(leak, check=True, timeout=60, cwd=stack.key_dir.parent)
    stack.start_service()
    assert signs(client, key)


def test_service_that_starts_before_its_tpm(stack: TpmStack, client: TpmClient, key: Key) -> None:
    stack.kill_service()
    stack.kill_swtpm()
    stack.start_service()
    assert stack.health_status() == 503
    assert client.key_get("ledger") == key
    stack.swtpm.start()
    soon(lambda: signs(client, key))


def test_damaged_key_file_harms_no_other(stack: TpmStack, client: TpmClient, key: Key) -> None:
    client.key_create("second")
    path = stack.key_dir / "second.json"
    whole = path.read_text()
    for damaged in (
        whole[:100],
        whole.replace('"private": "', '"private": "AAAA'),
        tampered(whole, "private"),
        tampered(whole, "seed"),
    ):
        path.write_text(damaged)
        restart(stack)
        with pytest.raises(TpmUnavailable, match="key_unusable"):
            client.sign("second", bytes(32))
        assert signs(client, key)
    path.write_text(whole[:100])
    restart(stack)
    with pytest.raises(TpmUnavailable, match="key_unusable"):
        client.key_create("second")
    assert path.read_text() == whole[:100]
    path.write_text(whole)
    restart(stack)
    assert signs(client, client.key_get("second"))


def test_without_measuring_there_is_no_policy(stack: TpmStack, client: TpmClient, key: Key) -> None:
    """Nothing is made with it, and what a measured service made does not open."""
    for make in (
        lambda: client.key_create("new", policy="release"),
        lambda: client.seal("new", b"x", policy="release"),
    ):
        with pytest.raises(TpmRefused, match="policy_unavailable"):
            make()
    path = stack.key_dir / "measured.json"
    document = json.loads((stack.key_dir / "ledger.json").read_text())
    guard = {"public": document["public"], "private": document["private"]}
    path.write_text(json.dumps({**document, "name": "measured", "policy": "release", "guard": guard}))
    restart(stack)
    with pytest.raises(TpmUnavailable, match="integrity_failed"):
        client.sign("measured", bytes(32))
    assert signs(client, key)
    assert client.health()["integrity"] == "unmeasured"
    client.key_delete("measured")


def test_queue_full_and_deadline(stack: TpmStack, client: TpmClient, key: Key) -> None:
    """With the TPM stopped one request has it, two wait until their deadline, and the rest are turned away at once."""
    assert signs(client, key)
    codes: Counter[str] = Counter()

    def call() -> None:
        try:
            client.sign("ledger", bytes(32))
            codes["signed"] += 1
        except TpmError as error:
            assert not error.permanent
            codes[error.code] += 1

    os.kill(stack.swtpm.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(8) as threads:
            calls = [threads.submit(call) for _ in range(8)]
            until(lambda: codes.total() == 7)
            assert stack.health_status() == 503
            full = httpx2.get(f"{stack.service_url}/v1/health").status_code
            os.kill(stack.swtpm.pid, signal.SIGCONT)
            for running in calls:
                running.result()
    finally:
        os.kill(stack.swtpm.pid, signal.SIGCONT)
    assert full == 503
    assert codes["signed"] == 1
    assert codes["queue_deadline"] >= 2
    assert codes["queue_full"] >= 1
    assert codes.total() == 8
    assert signs(client, key)


def test_retries_of_a_request_that_hangs_hold_no_threads(stack: TpmStack, client: TpmClient, key: Key) -> None:
    """With the TPM stopped, of many more requests with one Idempotency-Key than there are threads all but one are
    turned away at once, past them another client is answered, and afterwards a retry has that one's answer.
    """
    body = {"digest": "A" * 43 + "=", "format": "der"}
    authorization = {"Authorization": f"Bearer {stack.credentials(stack.portal, ['tpm/sign'])()}"}
    http = httpx2.Client(base_url=f"{stack.service_url}/v1", headers=authorization, timeout=60)

    def sign() -> httpx2.Response:
        return http.post("/keys/ledger/sign", json=body, headers={"Idempotency-Key": "one"})

    assert signs(client, key)
    os.kill(stack.swtpm.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(61) as threads:
            calls = [threads.submit(sign) for _ in range(61)]
            until(lambda: sum(one.done() for one in calls) == 60)
            retries = [one.result() for one in calls if one.done()]
            assert stack.client(stack.neighbour).key_get("ledger") == key
            (first,) = (one for one in calls if not one.done())
            os.kill(stack.swtpm.pid, signal.SIGCONT)
            answer = first.result()
    finally:
        os.kill(stack.swtpm.pid, signal.SIGCONT)
    assert {(one.status_code, one.json()["code"]) for one in retries} == {(429, "request_in_progress")}
    assert {one.headers["retry-after"] for one in retries} == {"1"}
    assert (answer.status_code, sign().json()) == (200, answer.json())
    http.close()


def test_retry_after(stack: TpmStack, client: TpmClient, key: Key) -> None:
    stack.kill_swtpm()
    token = stack.credentials(stack.portal, ["tpm/sign"])()
    url = f"{stack.service_url}/v1/keys/ledger/sign"
    body = {"digest": "A" * 43 + "=", "format": "der"}
    answer = httpx2.post(url, json=body, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "tss" not in answer.text.lower()
    assert "tcti" not in answer.text.lower()
    stack.swtpm.start()


def test_kills_under_load_lose_nothing_for_good(stack: TpmStack, client: TpmClient, key: Key) -> None:
    """While one signs without end, TPM and service are killed in turn; each time signing goes on by itself."""
    done = threading.Event()
    outcomes: Counter[str] = Counter()

    def sign_on() -> None:
        while not done.is_set():
            try:
                outcomes["right" if signs(client, key) else "wrong"] += 1
            except TpmRefused:
                outcomes["refused"] += 1
            except TpmUnavailable:
                outcomes["unavailable"] += 1

    signer = threading.Thread(target=sign_on)
    signer.start()
    try:
        for _ in range(3):
            stack.kill_swtpm()
            stack.swtpm.start()
            soon(lambda: signs(client, key))
            restart(stack)
            soon(lambda: signs(client, key))
    finally:
        done.set()
        signer.join()
    assert outcomes["right"] > 0
    assert outcomes["wrong"] == outcomes["refused"] == 0
    assert client.key_get("ledger") == key


def test_a_token_that_the_service_no_longer_takes_is_replaced(tpm_stack: TpmStack) -> None:
    """The provider changed its keys before the token expired; the client asks for a new token by itself."""
    credentials = tpm_stack.credentials(tpm_stack.portal, SCOPES)
    client = TpmClient(tpm_stack.service_url, credentials)
    client.key_create("renewed")
    stale = credentials()[:-8] + "AAAAAAAA"
    credentials._token = stale
    assert client.key_get("renewed").name == "renewed"
    assert credentials._token != stale
