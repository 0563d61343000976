"""What the TPM states about keys, judged by openssl, and by the standard's layout of TPMS_ATTEST (Part 2, 10.12)."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from dev.parts.tpm_service import SCOPES, TpmStack
from tests.tpm.conftest import ALL_SCOPES, WithScopes
from tests.tpm.tpm2_tools import openssl_verifies

KINDS = {
    "certified-ecc": ("ecc-p256", "sign", None),
    "certified-rsa": ("rsa-2048", "decrypt", None),
    "certified-mac": ("hmac", "sign", None),
    "certified-release": ("ecc-p256", "sign", "release"),
}
MAGIC, CERTIFY = bytes.fromhex("ff544347"), bytes.fromhex("8017")
MADE_AND_KEPT_HERE = 0x32  # fixedTPM, fixedParent, sensitiveDataOrigin


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sized(data: bytes) -> tuple[bytes, bytes]:
    """Split what has its size in two bytes before it from what follows."""
    end = 2 + int.from_bytes(data[:2])
    return data[2:end], data[end:]


@pytest.fixture(scope="module")
def keys(http: httpx2.Client) -> Iterator[dict[str, Any]]:
    made = {}
    for name, (type, usage, policy) in KINDS.items():
        answer = http.post("/keys", json={"name": name, "type": type, "usage": usage, "policy": policy})
        assert answer.status_code == 201, answer.text
        made[name] = answer.json()
    yield made
    for name in KINDS:
        http.delete(f"/keys/{name}")


def certified(http: httpx2.Client, name: str, nonce: bytes) -> dict[str, bytes]:
    answer = http.post(f"/keys/{name}/certify", json={"nonce": b64(nonce)})
    assert answer.status_code == 200, answer.text
    return {field: base64.b64decode(value) for field, value in answer.json().items()}


@pytest.mark.parametrize("size", [8, 32, 64])
@pytest.mark.parametrize("name", KINDS)
def test_a_statement_names_key_nonce_and_ak(
    http: httpx2.Client, keys: dict[str, Any], tmp_path: Path, name: str, size: int
) -> None:
    nonce = secrets.token_bytes(size)
    answer = certified(http, name, nonce)
    ak = http.get("/identity").json()["ak"]

    pem, message = ak["public_key_pem"], answer["attest"]
    assert openssl_verifies(tmp_path, public_pem=pem, message=message, signature=answer["signature"])
    assert message[:6] == MAGIC + CERTIFY
    _signer, rest = sized(message[6:])
    extra_data, rest = sized(rest)
    certified_name, rest = sized(rest[25:])  # after TPMS_CLOCK_INFO and the firmware's version
    assert extra_data == nonce
    assert certified_name == bytes.fromhex("000b") + hashlib.sha256(answer["public"]).digest()
    assert int.from_bytes(answer["public"][4:8]) & MADE_AND_KEPT_HERE == MADE_AND_KEPT_HERE

    changed = message[:-1] + bytes([message[-1] ^ 1])
    assert not openssl_verifies(tmp_path, public_pem=pem, message=changed, signature=answer["signature"])


def test_the_public_area_is_of_the_key_that_callers_see(http: httpx2.Client, keys: dict[str, Any]) -> None:
    ecc, rsa = (load_pem_public_key(keys[name]["public_key_pem"].encode()) for name in tuple(KINDS)[:2])
    assert isinstance(ecc, EllipticCurvePublicKey)
    assert isinstance(rsa, RSAPublicKey)
    point = ecc.public_numbers()
    x, y = (certified(http, "certified-ecc", bytes(8))["public"][at:][:32] for at in (-66, -32))
    assert (int.from_bytes(x), int.from_bytes(y)) == (point.x, point.y)
    assert certified(http, "certified-rsa", bytes(8))["public"][-256:] == rsa.public_numbers().n.to_bytes(256)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ([], "invalid_request"),
        ("AAAAAAAAAAA=", "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"nonce": 8}, "invalid_request"),
        ({"nonce": b64(bytes(8)), "more": 1}, "invalid_request"),
        ({"nonce": ""}, "invalid_request"),
        ({"nonce": b64(bytes(7))}, "invalid_request"),
        ({"nonce": b64(bytes(65))}, "invalid_request"),
        ({"nonce": b64(bytes(40_000))}, "invalid_request"),
        ({"nonce": "AAAAAAAAAAB="}, "invalid_encoding"),
        ({"nonce": "AAAAAAAAAAA"}, "invalid_encoding"),
        ({"nonce": "AAAAAAAA_AA="}, "invalid_encoding"),
    ],
)
def test_bad_nonces(http: httpx2.Client, keys: dict[str, Any], body: object, code: str) -> None:
    answer = http.post("/keys/certified-ecc/certify", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_unknown_key(http: httpx2.Client) -> None:
    answer = http.post("/keys/nobody/certify", json={"nonce": b64(bytes(8))})
    assert (answer.status_code, answer.json()["code"]) == (404, "key_not_found")


def test_scope(with_scopes: WithScopes, keys: dict[str, Any], tpm_stack: TpmStack) -> None:
    body = {"nonce": b64(bytes(8))}
    wrong = with_scopes(*(scope for scope in ALL_SCOPES if scope != "tpm/attest"))
    answer = wrong.post("/keys/certified-ecc/certify", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")

    scopes = ["tpm/attest:certified-ecc"]
    neighbour = tpm_stack.provider.pool.ensure_client("neighbour", scopes)
    try:
        authorization = {"Authorization": f"Bearer {tpm_stack.credentials(neighbour, scopes)()}"}
        with httpx2.Client(base_url=f"{tpm_stack.service_url}/v1", headers=authorization, timeout=60) as limited:
            assert limited.post("/keys/certified-ecc/certify", json=body).status_code == 200
            assert limited.post("/keys/certified-rsa/certify", json=body).json()["code"] == "key_not_in_scope"
            assert limited.get("/identity").json()["code"] == "insufficient_scope"
    finally:
        tpm_stack.provider.pool.ensure_client("neighbour", SCOPES)
