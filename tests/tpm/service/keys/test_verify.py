"""Signatures are judged: those of the key are valid in every format, all others are not, and nonsense is refused."""

import base64
import hashlib
import json
import secrets

import base58
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from ecdsa import NIST256p  # type: ignore[import-untyped]

from tests.tpm.conftest import WithScopes
from tests.tpm.verifier import oracle
from tpm.client import Key, TpmClient

FORMATS = ("der", "jws", "eosio")


def body(digest: bytes, form: str, signature: str) -> dict[str, str]:
    return {"digest": base64.b64encode(digest).decode(), "format": form, "signature": signature}


def valid(http: httpx2.Client, digest: bytes, form: str, signature: str, key: str = "ledger") -> bool:
    answer = http.post(f"/keys/{key}/verify", json=body(digest, form, signature))
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["valid"])


def eosio_text(data: bytes) -> str:
    """Return the `SIG_R1_…` of any header and numbers, with a good checksum."""
    return "SIG_R1_" + base58.b58encode(data + hashlib.new("ripemd160", data + b"R1").digest()[:4]).decode()


@pytest.mark.parametrize("form", FORMATS)
def test_own_signatures_are_valid_and_no_others(
    http: httpx2.Client, tpm_client: TpmClient, ledger_key: Key, form: str
) -> None:
    tpm_client.key_create("other")
    digest = secrets.token_bytes(32)
    signature = tpm_client.sign("ledger", digest, format=form)
    assert valid(http, digest, form, signature)
    assert not valid(http, secrets.token_bytes(32), form, signature)
    assert not valid(http, digest, form, signature, key="other")
    assert not valid(http, digest, form, tpm_client.sign("ledger", secrets.token_bytes(32), format=form))
    tpm_client.key_delete("other")


def test_jws_is_what_pyjwt_takes(tpm_client: TpmClient, ledger_key: Key) -> None:
    """A token put together by hand, signed in the TPM, and read by a library that knows nothing of us."""
    parts = (json.dumps(part).encode() for part in ({"alg": "ES256"}, {"sub": "station-7"}))
    head = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    digest = hashlib.sha256(head.encode()).digest()
    token = f"{head}.{tpm_client.sign('ledger', digest, format='jws')}"
    assert jwt.decode(token, ledger_key.public_key_pem, algorithms=["ES256"]) == {"sub": "station-7"}


def test_high_s_and_wrong_recovery_id(http: httpx2.Client, tpm_client: TpmClient, ledger_key: Key) -> None:
    """DER may have either s. EOSIO takes the low one only, and with the recovery id that gives the key."""
    digest = secrets.token_bytes(32)
    r, s = decode_dss_signature(base64.b64decode(tpm_client.sign("ledger", digest, format="der")))
    high = base64.b64encode(encode_dss_signature(r, oracle.N - s)).decode()
    assert valid(http, digest, "der", high)
    data = oracle.opened(tpm_client.sign("ledger", digest), "SIG_R1_")
    assert valid(http, digest, "eosio", eosio_text(data))
    flipped = bytes([31 + ((data[0] - 31) ^ 1)])
    assert not valid(http, digest, "eosio", eosio_text(flipped + data[1:]))
    high_s = (oracle.N - int.from_bytes(data[33:])).to_bytes(32)
    assert not valid(http, digest, "eosio", eosio_text(flipped + data[1:33] + high_s))


def test_numbers_out_of_range_are_never_valid(http: httpx2.Client, ledger_key: Key) -> None:
    for r, s in ((0, 0), (0, 1), (1, 0), (oracle.N, 1), (1, oracle.N), (2**256 - 1, 2**256 - 1)):
        raw = r.to_bytes(32) + s.to_bytes(32)
        assert not valid(http, bytes(32), "der", base64.b64encode(encode_dss_signature(r, s)).decode())
        assert not valid(http, bytes(32), "jws", base64.urlsafe_b64encode(raw).decode().rstrip("="))
        assert not valid(http, bytes(32), "eosio", eosio_text(b"\x1f" + raw))


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_forgeries_of_the_digest_zero(http: httpx2.Client, ledger_key: Key, factor: int) -> None:
    """With e = 0 anybody can take R = vQ, r = s·v: mathematically valid, and it must not trip the service."""
    compressed = oracle.opened(ledger_key.public_key_eosio, "PUB_R1_")
    point = oracle._point(int.from_bytes(compressed[1:]), compressed[0] & 1) * factor
    r = int(point.x()) % oracle.N
    s = r * pow(factor, -1, int(NIST256p.order)) % oracle.N
    s = min(s, oracle.N - s)
    for number in range(4):
        data = bytes([31 + number]) + r.to_bytes(32) + s.to_bytes(32)
        assert http.post("/keys/ledger/verify", json=body(bytes(32), "eosio", eosio_text(data))).status_code == 200


@pytest.mark.parametrize(
    ("form", "signature"),
    [
        ("der", ""),
        ("der", "%"),
        ("der", "AAAA"),
        ("der", "MAYCAQECAQEA"),
        ("jws", ""),
        ("jws", "A" * 85),
        ("jws", "A" * 87),
        ("jws", "A" * 86 + "=="),
        ("jws", "A" * 85 + "B"),
        ("jws", "+" * 86),
        ("eosio", ""),
        ("eosio", "SIG_R1_"),
        ("eosio", "SIG_K1_111111111"),
        ("eosio", "SIG_R1_0OIl"),
        ("eosio", "SIG_R1_" + "1" * 101),
        ("eosio", "é" * 90),
    ],
)
def test_what_is_no_signature_is_refused(http: httpx2.Client, ledger_key: Key, form: str, signature: str) -> None:
    answer = http.post("/keys/ledger/verify", json=body(bytes(32), form, signature))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_encoding")


def test_other_refusals(http: httpx2.Client, with_scopes: WithScopes, ledger_key: Key) -> None:
    good = body(bytes(32), "jws", "A" * 86)
    for wrong in ({}, {**good, "signature": 5}, {**good, "format": "pem"}, {**good, "more": 1}):
        answer = http.post("/keys/ledger/verify", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert http.post("/keys/nobody/verify", json=good).json()["code"] == "key_not_found"
    signer = with_scopes("tpm/sign", "tpm/keys")
    assert signer.post("/keys/ledger/verify", json=good).json()["code"] == "insufficient_scope"
