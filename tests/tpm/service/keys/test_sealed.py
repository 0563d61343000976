"""Sealed objects hold what was put into them, survive, are never overwritten, and open for nobody else."""

import base64
import json
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_IMODE

import httpx2
import pytest

from dev.parts.tpm_service import TpmStack
from tests.tpm.conftest import ALL_SCOPES, WithScopes
from tpm.client import TpmClient, TpmRefused, TpmUnavailable

SIZES = [1, 32, 127, 128, 129, 1000, 32 * 1024]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def client(tpm_stack: TpmStack, with_scopes: WithScopes) -> TpmClient:
    return tpm_stack.client(scopes=ALL_SCOPES)


def restart(stack: TpmStack) -> None:
    stack.kill_service()
    stack.start_service()


def file_of(stack: TpmStack, name: str) -> Path:
    return stack.key_dir / "sealed" / f"{name}.json"


@pytest.mark.parametrize("size", SIZES)
def test_what_goes_in_comes_out(http: httpx2.Client, tpm_stack: TpmStack, size: int) -> None:
    data = secrets.token_bytes(size)
    body = {"data": b64(data)}
    first = http.put("/sealed/safe", json=body)
    assert first.status_code == 201
    told = {name: first.json()[name] for name in ("name", "size", "policy")}
    assert told == {"name": "safe", "size": size, "policy": None}
    again = http.put("/sealed/safe", json={**body, "policy": None})
    assert (again.status_code, again.json()) == (200, first.json())
    other = http.put("/sealed/safe", json={"data": b64(data[:-1] + bytes([data[-1] ^ 1]))})
    assert (other.status_code, other.json()["code"]) == (409, "sealed_conflict")
    assert http.get("/sealed/safe").json() == first.json()
    assert first.json() in http.get("/sealed").json()["sealed"]
    for answer in (http.post("/sealed/safe/unseal"), http.post("/sealed/safe/unseal", json={})):
        assert (answer.status_code, answer.json()) == (200, body)
    kept = file_of(tpm_stack, "safe").read_text()
    assert size == 1 or b64(data) not in kept
    assert http.delete("/sealed/safe").status_code == 204
    assert not file_of(tpm_stack, "safe").exists()
    for answer in (http.get("/sealed/safe"), http.delete("/sealed/safe"), http.post("/sealed/safe/unseal")):
        assert (answer.status_code, answer.json()["code"]) == (404, "sealed_not_found")


def test_it_survives_both_restarts(tpm_stack: TpmStack, client: TpmClient) -> None:
    small, large = secrets.token_bytes(32), secrets.token_bytes(5000)
    client.seal("small", small)
    client.seal("large", large)
    restart(tpm_stack)
    tpm_stack.kill_swtpm()
    with pytest.raises(TpmUnavailable, match="tpm_unavailable"):
        client.unseal("small")
    tpm_stack.swtpm.start()
    assert (client.unseal("small"), client.unseal("large")) == (small, large)
    client.seal("large", large)
    with pytest.raises(TpmRefused, match="sealed_conflict"):
        client.seal("large", large + b".")


def test_files_are_for_the_service_alone(tpm_stack: TpmStack, client: TpmClient) -> None:
    client.seal("mode", b"x")
    path = file_of(tpm_stack, "mode")
    assert (S_IMODE(path.stat().st_mode), S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("size", "field"),
    [*((size, field) for size in (32, 200) for field in ("public", "private", "auth")), (200, "ciphertext")],
)
def test_a_tampered_file_does_not_open(tpm_stack: TpmStack, client: TpmClient, field: str, size: int) -> None:
    data = secrets.token_bytes(size)
    client.seal("victim", data)
    path = file_of(tpm_stack, "victim")
    whole = path.read_text()
    document = json.loads(whole)
    value = bytearray(base64.b64decode(document[field]))
    value[-1] ^= 1
    path.write_text(json.dumps({**document, field: b64(bytes(value))}))
    restart(tpm_stack)
    with pytest.raises(TpmUnavailable, match="key_unusable"):
        client.unseal("victim")
    path.write_text(whole)
    restart(tpm_stack)
    assert client.unseal("victim") == data
    client._call("DELETE", "/sealed/victim")


def test_a_file_with_another_name_does_not_open(tpm_stack: TpmStack, client: TpmClient) -> None:
    """Whoever can write in the volume must not read one object under the name, and with the scope, of another."""
    for size in (32, 200):
        client.seal("master", secrets.token_bytes(size))
        document = json.loads(file_of(tpm_stack, "master").read_text())
        file_of(tpm_stack, "mine").write_text(json.dumps({**document, "name": "mine"}))
        restart(tpm_stack)
        with pytest.raises(TpmUnavailable, match="key_unusable"):
            client.unseal("mine")
        for name in ("master", "mine"):
            client._call("DELETE", f"/sealed/{name}")


def test_a_half_written_file_replaces_nothing(tpm_stack: TpmStack, client: TpmClient) -> None:
    client.seal("half", b"whole")
    path = file_of(tpm_stack, "half")
    unfinished = path.with_name(".half.json.new")
    unfinished.write_text("{")
    restart(tpm_stack)
    assert client.unseal("half") == b"whole"
    assert not unfinished.exists()
    whole = path.read_text()
    path.write_text(whole[:100])
    restart(tpm_stack)
    with pytest.raises(TpmUnavailable, match="key_unusable"):
        client.seal("half", b"new")
    path.write_text(whole)
    restart(tpm_stack)
    assert client.unseal("half") == b"whole"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
        ({"data": ""}, 400, "invalid_request"),
        ({"data": 5}, 400, "invalid_request"),
        ({"data": "AA==", "policy": {}}, 400, "invalid_request"),
        ({"data": "AA==", "more": 1}, 400, "invalid_request"),
        ({"data": "AA"}, 400, "invalid_encoding"),
        ({"data": b64(bytes(32 * 1024 + 1))}, 413, "data_too_large"),
    ],
)
def test_bad_requests(http: httpx2.Client, body: object, status: int, code: str) -> None:
    answer = http.put("/sealed/bad", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert http.get("/sealed/bad").status_code == 404


def test_other_refusals(http: httpx2.Client, with_scopes: WithScopes, client: TpmClient) -> None:
    client.seal("known", b"x")
    bodies: list[object] = [[], 5, {"more": 1}, "x"]
    for body in bodies:
        answer = http.post("/sealed/known/unseal", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    for path in ("/sealed/Upper", "/sealed/a_b", "/sealed/%2e%2e", "/sealed/" + "a" * 64):
        assert http.put(path, json={"data": "AA=="}).json()["code"] == "not_found"
    wrong = with_scopes("tpm/keys", "tpm/sign", "tpm/crypto", "tpm/attest")
    for answer in (
        wrong.get("/sealed"),
        wrong.get("/sealed/known"),
        wrong.put("/sealed/known", json={"data": "AA=="}),
        wrong.post("/sealed/known/unseal"),
        wrong.delete("/sealed/known"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_two_who_seal_the_same_name(http: httpx2.Client) -> None:
    """One of many wins, the others hear of it, and what is kept is the winner's."""
    bodies = [{"data": b64(bytes([number]) * 40)} for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda body: http.put("/sealed/race", json=body), bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    winner = next(body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 201)
    assert http.post("/sealed/race/unseal").json() == winner
    http.delete("/sealed/race")


def test_mixed_operations_leak_no_handle(tpm_stack: TpmStack, http: httpx2.Client, client: TpmClient) -> None:
    """While running nothing has to be flushed in need; killed, it leaves no more than its two loaded keys."""
    log = tpm_stack.service.log.read_text().count("starting anew")
    http.post("/keys", json={"name": "leak-rsa", "type": "rsa-2048", "usage": "decrypt"})
    http.post("/keys", json={"name": "leak-mac", "type": "hmac", "usage": "sign"})
    client.key_create("leak-ecc")
    for name, size in (("leak-small", 32), ("leak-large", 300)):
        client.seal(name, bytes(size))
    operations = [
        lambda: client.sign("leak-ecc", bytes(32)),
        lambda: client.unseal("leak-small"),
        lambda: client.unseal("leak-large"),
        lambda: http.post("/hash", json={"algorithm": "sha256", "data": b64(bytes(3000))}),
        lambda: http.post("/keys/leak-mac/sign", json={"data": "AAAA"}),
        lambda: http.post("/keys/leak-rsa/decrypt", json={"ciphertext": b64(bytes(256))}),
        lambda: client.random(100),
        lambda: client.seal("leak-small", bytes(32)),
    ]
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(operations[number % len(operations)]) for number in range(160)]:
            done.result()
    assert tpm_stack.service.log.read_text().count("starting anew") == log
    tpm_stack.kill_service()
    try:
        left = {sort: handles(tpm_stack, sort) for sort in ("transient", "loaded-session", "saved-session")}
    finally:
        tpm_stack.start_service()
    assert len(left["transient"]) <= 2
    assert (left["loaded-session"], left["saved-session"]) == ([], [])
    for key in ("keys/leak-rsa", "keys/leak-mac", "keys/leak-ecc", "sealed/leak-small", "sealed/leak-large"):
        assert http.delete(f"/{key}").status_code == 204


def handles(stack: TpmStack, sort: str) -> list[str]:
    argv = ["tpm2_getcap", "-T", stack.swtpm.tcti, f"handles-{sort}"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout.split("\n")[:-1]
