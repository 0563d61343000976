"""Keys of each type do what they are for, judged by other implementations, and refuse everything else."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from dev.parts.tpm_service import TpmStack
from tests.tpm.conftest import WithScopes
from tests.tpm.verifier import oracle
from tpm.client import Key, TpmClient

PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "pkcs1v15": padding.PKCS1v15(),
    "pss": padding.PSS(padding.MGF1(SHA256()), 32),
}
OAEP = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
KINDS = {"signer": ("rsa-2048", "sign"), "reader": ("rsa-2048", "decrypt"), "mac": ("hmac", "sign")}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def item(digest: bytes, form: str) -> dict[str, str]:
    return {"digest": b64(digest), "format": form}


@pytest.fixture(scope="module")
def keys(http: httpx2.Client) -> Iterator[dict[str, Any]]:
    made = {}
    for name, (type, usage) in KINDS.items():
        answer = http.post("/keys", json={"name": name, "type": type, "usage": usage})
        assert answer.status_code == 201, answer.text
        made[name] = answer.json()
    yield made
    for name in KINDS:
        http.delete(f"/keys/{name}")


def rsa(key: dict[str, Any]) -> RSAPublicKey:
    public = load_pem_public_key(key["public_key_pem"].encode())
    assert isinstance(public, RSAPublicKey)
    assert (public.key_size, public.public_numbers().e) == (2048, 65537)
    return public


def post(http: httpx2.Client, path: str, body: object) -> dict[str, Any]:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def refused(http: httpx2.Client, path: str, body: object) -> tuple[int, str]:
    answer = http.post(path, json=body)
    return answer.status_code, answer.json()["code"]


def test_what_is_told_of_a_key(http: httpx2.Client, tpm_client: TpmClient, keys: dict[str, Any]) -> None:
    for name, (type, usage) in KINDS.items():
        assert (keys[name]["type"], keys[name]["usage"], keys[name]["public_key_eosio"]) == (type, usage, None)
        assert http.get(f"/keys/{name}").json() == keys[name]
    assert keys["mac"]["public_key_pem"] is None
    assert tpm_client.key_get("mac").public_key_pem == ""
    other_use = {"name": "signer", "type": "rsa-2048", "usage": "decrypt"}
    assert refused(http, "/keys", other_use) == (409, "key_conflict")


@pytest.mark.parametrize("form", ["pkcs1v15", "pss"])
def test_rsa_signatures(http: httpx2.Client, keys: dict[str, Any], form: str) -> None:
    digest, other = secrets.token_bytes(32), secrets.token_bytes(32)
    signature = post(http, "/keys/signer/sign", item(digest, form))["signature"]
    raw = base64.b64decode(signature)
    rsa(keys["signer"]).verify(raw, digest, PADDINGS[form], Prehashed(SHA256()))
    with pytest.raises(InvalidSignature):
        rsa(keys["signer"]).verify(raw, other, PADDINGS[form], Prehashed(SHA256()))
    path = "/keys/signer/verify"
    assert post(http, path, {**item(digest, form), "signature": signature}) == {"valid": True}
    assert post(http, path, {**item(other, form), "signature": signature}) == {"valid": False}
    wrong_form = "pss" if form == "pkcs1v15" else "pkcs1v15"
    assert post(http, path, {**item(digest, wrong_form), "signature": signature}) == {"valid": False}
    assert post(http, path, {**item(digest, form), "signature": b64(bytes(256))}) == {"valid": False}
    for malformed in ("", "?", b64(bytes(255)), b64(bytes(257)), signature + "\n"):
        body = {**item(digest, form), "signature": malformed}
        assert refused(http, path, body) == (400, "invalid_encoding")


@pytest.mark.parametrize("size", [0, 1, 64, 1024])
def test_hmac(http: httpx2.Client, keys: dict[str, Any], size: int) -> None:
    """The key never leaves the TPM, so that only the TPM can tell; the same data has the same code, others another."""
    data = secrets.token_bytes(size)
    mac = post(http, "/keys/mac/sign", {"data": b64(data)})["signature"]
    assert len(base64.b64decode(mac)) == 32
    assert post(http, "/keys/mac/sign", {"data": b64(data)})["signature"] == mac
    assert mac != b64(hmac.digest(b"", data, hashlib.sha256))
    path = "/keys/mac/verify"
    assert post(http, path, {"data": b64(data), "signature": mac}) == {"valid": True}
    assert post(http, path, {"data": b64(data + b"."[: 1024 - size]), "signature": mac})["valid"] is (size == 1024)
    assert post(http, path, {"data": b64(data), "signature": b64(bytes(32))}) == {"valid": False}
    assert refused(http, path, {"data": b64(data), "signature": b64(bytes(31))}) == (400, "invalid_encoding")


@pytest.mark.parametrize("size", [0, 1, 32, 190])
def test_encrypt_and_decrypt(http: httpx2.Client, keys: dict[str, Any], size: int) -> None:
    data = secrets.token_bytes(size)
    ours = post(http, "/keys/reader/encrypt", {"data": b64(data)})["ciphertext"]
    theirs = b64(rsa(keys["reader"]).encrypt(data, OAEP))
    for ciphertext in (ours, theirs):
        assert post(http, "/keys/reader/decrypt", {"ciphertext": ciphertext}) == {"data": b64(data)}


def test_what_does_not_decrypt(http: httpx2.Client, keys: dict[str, Any]) -> None:
    """However it is wrong, the answer is the same, and the TPM goes on working."""
    good = rsa(keys["reader"]).encrypt(b"secret", OAEP)
    wrong_hash = rsa(keys["reader"]).encrypt(b"secret", padding.OAEP(padding.MGF1(SHA256()), SHA256(), b"label"))
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    answers = [
        http.post("/keys/reader/decrypt", json={"ciphertext": b64(bad)})
        for bad in (b"", good[:-1], good + b"0", bytes(256), b"\xff" * 256, flipped, wrong_hash, bytes(600))
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(400, "invalid_ciphertext")}
    assert len({answer.text for answer in answers}) == 1
    assert post(http, "/keys/reader/decrypt", {"ciphertext": b64(good)}) == {"data": b64(b"secret")}


def test_a_key_for_something_else(http: httpx2.Client, ledger_key: Key, keys: dict[str, Any]) -> None:
    digest, data, signature = bytes(32), {"data": b64(b"x")}, {"signature": b64(bytes(32))}
    wrong: list[tuple[str, object]] = [
        ("/keys/signer/encrypt", data),
        ("/keys/signer/decrypt", {"ciphertext": b64(bytes(256))}),
        ("/keys/ledger/encrypt", data),
        ("/keys/mac/decrypt", {"ciphertext": b64(bytes(256))}),
        ("/keys/reader/sign", item(digest, "pss")),
        ("/keys/reader/verify", {**item(digest, "pss"), **signature}),
        ("/keys/signer/sign", item(digest, "der")),
        ("/keys/signer/sign", item(digest, "eosio")),
        ("/keys/signer/sign", data),
        ("/keys/ledger/sign", item(digest, "pss")),
        ("/keys/ledger/sign", data),
        ("/keys/ledger/verify", {**data, **signature}),
        ("/keys/mac/sign", item(digest, "der")),
        ("/keys/mac/verify", {**item(digest, "jws"), **signature}),
    ]
    for path, body in wrong:
        assert refused(http, path, body) == (422, "key_usage"), (path, body)
    detail = http.post("/keys/signer/sign", json=item(digest, "der")).json()["detail"]
    assert detail == "expected pkcs1v15 or pss for a key of type rsa-2048, got format 'der'"


def test_a_batch_of_everything(http: httpx2.Client, keys: dict[str, Any]) -> None:
    digests = [secrets.token_bytes(32) for _ in range(5)]
    batch = [item(digest, "pss") for digest in digests]
    batch[2:2] = [item(bytes(32), "der"), {"data": b64(b"x")}]
    results = post(http, "/keys/signer/sign", {"batch": batch})["results"]
    assert [result["error"]["code"] for result in results[2:4]] == ["key_usage", "key_usage"]
    for digest, result in zip(digests, results[:2] + results[4:], strict=True):
        rsa(keys["signer"]).verify(base64.b64decode(result["signature"]), digest, PADDINGS["pss"], Prehashed(SHA256()))
    macs = post(http, "/keys/mac/sign", {"batch": [{"data": b64(bytes([n]))} for n in range(40)]})["results"]
    assert len({result["signature"] for result in macs}) == 40
    results = post(http, "/keys/mac/sign", {"batch": [{"data": b64(bytes(1025))}, {"data": ""}]})["results"]
    assert results[0]["error"]["code"] == "data_too_large"
    assert "signature" in results[1]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("mac/sign", {"data": b64(bytes(1025))}, 413, "data_too_large"),
        ("mac/sign", {"data": "?"}, 400, "invalid_encoding"),
        ("mac/sign", {"data": "", "format": "hmac"}, 400, "invalid_request"),
        ("mac/verify", {"data": ""}, 400, "invalid_request"),
        ("mac/verify", [], 400, "invalid_request"),
        ("reader/encrypt", {"data": b64(bytes(191))}, 413, "data_too_large"),
        ("reader/encrypt", {}, 400, "invalid_request"),
        ("reader/decrypt", {"data": ""}, 400, "invalid_request"),
        ("reader/decrypt", {"ciphertext": "="}, 400, "invalid_encoding"),
        ("nobody/encrypt", {"data": ""}, 404, "key_not_found"),
        ("nobody/decrypt", {"ciphertext": ""}, 404, "key_not_found"),
    ],
)
def test_bad_requests(
    http: httpx2.Client, keys: dict[str, Any], path: str, body: object, status: int, code: str
) -> None:
    assert refused(http, f"/keys/{path}", body) == (status, code)


def test_scope(with_scopes: WithScopes, keys: dict[str, Any]) -> None:
    signer = with_scopes("tpm/sign", "tpm/keys")
    for path in ("encrypt", "decrypt", "verify"):
        assert refused(signer, f"/keys/reader/{path}", {}) == (403, "insufficient_scope")
    crypto = with_scopes("tpm/crypto")
    assert refused(crypto, "/keys/mac/sign", {"data": ""}) == (403, "insufficient_scope")


def test_all_types_survive_a_restart_and_share_the_slots(
    tpm_stack: TpmStack, http: httpx2.Client, keys: dict[str, Any]
) -> None:
    mac = post(http, "/keys/mac/sign", {"data": ""})["signature"]
    tpm_stack.kill_service()
    tpm_stack.start_service()
    for _ in range(3):
        assert post(http, "/keys/mac/verify", {"data": "", "signature": mac}) == {"valid": True}
        ciphertext = post(http, "/keys/reader/encrypt", {"data": "AAAA"})["ciphertext"]
        assert post(http, "/keys/reader/decrypt", {"ciphertext": ciphertext}) == {"data": "AAAA"}
        signature = base64.b64decode(post(http, "/keys/signer/sign", item(bytes(32), "pss"))["signature"])
        rsa(keys["signer"]).verify(signature, bytes(32), PADDINGS["pss"], Prehashed(SHA256()))


def test_a_key_file_of_the_first_version_works(tpm_stack: TpmStack, tpm_client: TpmClient) -> None:
    """0.1.0's first service wrote version 1, with the public point beside the blob."""
    key = tpm_client.key_create("elder")
    path = tpm_stack.key_dir / "elder.json"
    document = json.loads(path.read_text())
    public = load_pem_public_key(key.public_key_pem.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    numbers = public.public_numbers()
    point = numbers.x.to_bytes(32) + numbers.y.to_bytes(32)
    auth = hmac.digest(base64.b64decode(document.pop("seed")), b"elder", "sha256")
    path.write_text(json.dumps({**document, "version": 1, "auth": b64(auth), "point": b64(point)}, indent=1))
    tpm_stack.kill_service()
    tpm_stack.start_service()
    assert tpm_client.key_get("elder") == key
    digest = secrets.token_bytes(32)
    assert oracle.recovered(digest, tpm_client.sign("elder", digest)) == key.public_key_eosio
    tpm_client.key_delete("elder")
    assert not path.exists()
