"""What the TPM computes without a key of ours: random bytes and hashes."""

import base64
import hashlib
import secrets

import httpx2
import pytest

from tests.tpm.conftest import WithScopes
from tpm.client import TpmClient


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1024])
def test_random_bytes(http: httpx2.Client, count: int) -> None:
    first, second = (base64.b64decode(http.post("/random", json={"bytes": count}).json()["random"]) for _ in range(2))
    assert (len(first), len(second)) == (count, count)
    assert count == 1 or first != second
    assert count < 1024 or len(set(first)) > 200


BAD_COUNTS = [0, 1025, -1, "8", True, 8.0, None, 10**400]


@pytest.mark.parametrize("body", [{}, [], {"bytes": 8, "more": 1}, *({"bytes": count} for count in BAD_COUNTS)])
def test_bad_random_requests(http: httpx2.Client, body: object) -> None:
    answer = http.post("/random", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 2048, 48_000])
def test_hashes_of_any_length(http: httpx2.Client, algorithm: str, size: int) -> None:
    data = secrets.token_bytes(size)
    answer = http.post("/hash", json={"algorithm": algorithm, "data": b64(data)})
    assert base64.b64decode(answer.json()["digest"]) == hashlib.new(algorithm, data).digest()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"algorithm": "sha256"}, 400, "invalid_request"),
        ({"algorithm": "md5", "data": ""}, 400, "invalid_request"),
        ({"algorithm": "sha256", "data": "?"}, 400, "invalid_encoding"),
        ({"algorithm": "sha256", "data": 5}, 400, "invalid_request"),
        ({"algorithm": "sha256", "data": "A" * 70_000}, 413, "body_too_large"),
    ],
)
def test_bad_hash_requests(http: httpx2.Client, body: object, status: int, code: str) -> None:
    answer = http.post("/hash", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_scope(with_scopes: WithScopes) -> None:
    wrong = with_scopes("tpm/keys", "tpm/sign", "tpm/seal", "tpm/attest")
    for path in ("/random", "/hash"):
        answer = wrong.post(path, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert with_scopes("tpm/crypto").post("/random", json={"bytes": 1}).status_code == 200


def test_long_hashes_and_loaded_keys_share_the_slots(http: httpx2.Client, tpm_client: TpmClient) -> None:
    """A hash sequence takes one of the three slots, and loaded keys the others."""
    names = [f"slot-{number}" for number in range(3)]
    data = secrets.token_bytes(5000)
    for name in names:
        tpm_client.key_create(name)
    for name in names * 3:
        tpm_client.sign(name, bytes(32))
        answer = http.post("/hash", json={"algorithm": "sha256", "data": b64(data)})
        assert base64.b64decode(answer.json()["digest"]) == hashlib.sha256(data).digest()
    for name in names:
        tpm_client.key_delete(name)
