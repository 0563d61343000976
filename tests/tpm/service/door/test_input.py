"""Input is read strictly, and every refusal is an RFC 9457 problem with a stable code."""

import base64
import secrets

import httpx2
import pytest

from dev.parts.tpm_service import TpmStack
from tests.tpm.verifier import oracle
from tpm.client import Key

DIGEST = base64.b64encode(bytes(range(32))).decode()
GOOD = {"digest": DIGEST, "format": "der"}
KEY = {"name": "a", "type": "ecc-p256", "usage": "sign"}

BAD_SIGN: list[tuple[object, int, str]] = [
    ({}, 400, "invalid_request"),
    ([], 400, "invalid_request"),
    (None, 400, "invalid_request"),
    ("text", 400, "invalid_request"),
    (17, 400, "invalid_request"),
    ({"digest": DIGEST}, 400, "invalid_request"),
    ({**GOOD, "more": 1}, 400, "invalid_request"),
    ({**GOOD, "format": "DER"}, 400, "invalid_request"),
    ({**GOOD, "format": None}, 400, "invalid_request"),
    ({**GOOD, "digest": 5}, 400, "invalid_request"),
    ({**GOOD, "digest": None}, 400, "invalid_request"),
    ({**GOOD, "digest": [DIGEST]}, 400, "invalid_request"),
    ({**GOOD, "digest": "%%%"}, 400, "invalid_encoding"),
    ({**GOOD, "digest": "Zähler"}, 400, "invalid_encoding"),
    ({**GOOD, "digest": DIGEST + "\n"}, 400, "invalid_encoding"),
    ({**GOOD, "digest": DIGEST.rstrip("=")}, 400, "invalid_encoding"),
    ({**GOOD, "digest": "_" + DIGEST[1:]}, 400, "invalid_encoding"),
    ({**GOOD, "digest": DIGEST[:42] + "9="}, 400, "invalid_encoding"),
    ({**GOOD, "digest": ""}, 400, "invalid_digest"),
    ({**GOOD, "digest": base64.b64encode(bytes(31)).decode()}, 400, "invalid_digest"),
    ({**GOOD, "digest": base64.b64encode(bytes(33)).decode()}, 400, "invalid_digest"),
    ({**GOOD, "digest": base64.b64encode(bytes(64)).decode()}, 400, "invalid_digest"),
    ({"batch": []}, 400, "invalid_request"),
    ({"batch": GOOD}, 400, "invalid_request"),
    ({"batch": [GOOD], **GOOD}, 400, "invalid_request"),
    ({"batch": [GOOD] * 257}, 413, "batch_too_large"),
]

BAD_KEYS: list[tuple[object, str]] = [
    ({**KEY, "name": name}, "invalid_request")
    for name in ("", "-a", "A", "a_b", "a/b", "../a", "a\n", "é", "a" * 64, 5, None, ["a"])
] + [
    ({**KEY, "type": "rsa-1024"}, "invalid_request"),
    ({**KEY, "type": "hmac", "usage": "decrypt"}, "invalid_request"),
    ({**KEY, "usage": "decrypt"}, "invalid_request"),
    ({**KEY, "policy": "pcr"}, "invalid_request"),
    ({**KEY, "policy": 5}, "invalid_request"),
    ({**KEY, "created_at": "2026"}, "invalid_request"),
    ({"name": "a"}, "invalid_request"),
    ([KEY], "invalid_request"),
]

BAD_JSON = [b"", b"{", b'{"digest":NaN}', b"[" * 50_000, b"\xff\xfe", b'{"format":"der","format":"der"}', b"1" * 5_000]


@pytest.mark.parametrize(("body", "status", "code"), BAD_SIGN, ids=range(len(BAD_SIGN)))
def test_bad_sign_requests(http: httpx2.Client, ledger_key: Key, body: object, status: int, code: str) -> None:
    answer = http.post("/keys/ledger/sign", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "code"}


def test_the_message_says_what_was_expected(http: httpx2.Client, ledger_key: Key) -> None:
    body = {**GOOD, "digest": base64.b64encode(bytes(31)).decode()}
    assert http.post("/keys/ledger/sign", json=body).json()["detail"] == "digest: expected 32 bytes, got 31"
    assert http.post("/keys/ledger/sign", json=[]).json()["detail"] == "expected a JSON object, got an array"
    assert (
        http.post("/keys/ledger/sign", json={"a": 1}).json()["detail"] == "digest: missing; format: missing; a: unknown"
    )


@pytest.mark.parametrize(("body", "code"), BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_bad_keys(http: httpx2.Client, body: object, code: str) -> None:
    answer = http.post("/keys", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("content", BAD_JSON, ids=range(len(BAD_JSON)))
def test_bad_json(http: httpx2.Client, ledger_key: Key, content: bytes) -> None:
    answer = http.post("/keys/ledger/sign", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] in ("invalid_json", "invalid_request")


def test_longest_name(http: httpx2.Client) -> None:
    name = "z" * 63
    assert http.post("/keys", json={**KEY, "name": name}).status_code == 201
    assert http.delete(f"/keys/{name}").status_code == 204


def test_other_refusals(http: httpx2.Client, ledger_key: Key) -> None:
    form = http.post("/keys/ledger/sign", data={"digest": DIGEST})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    url, headers = http.base_url.join("keys/ledger/sign"), {**http.headers, "Content-Type": "application/json"}
    large = httpx2.post(url, content=b'"' + b"x" * 70_000 + b'"', headers=headers)  # gunicorn closes after this much
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    assert http.put("/keys/ledger", json={}).json()["code"] == "method_not_allowed"
    for path in ("/nothing", "/keys/", "/keys/Upper", "/keys/%2e%2e"):
        assert http.get(path).json()["code"] == "not_found"


@pytest.mark.parametrize("accept", ["text/html", "image/*", "nonsense", "application/json;q=0"])
def test_answers_are_json_whatever_is_accepted(http: httpx2.Client, ledger_key: Key, accept: str) -> None:
    for answer in (
        http.get("/keys/ledger", headers={"Accept": accept}),
        http.post("/keys/ledger/sign", json=GOOD, headers={"Accept": accept}),
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_idempotency_key(http: httpx2.Client, ledger_key: Key, tpm_stack: TpmStack) -> None:
    """A retry gets the first answer; the same key for something else is a mistake of the caller."""
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    first = http.post("/keys/ledger/sign", json=GOOD, headers=headers)
    assert first.status_code == 200
    assert http.post("/keys/ledger/sign", json=GOOD, headers=headers).json() == first.json()
    assert http.post("/keys/ledger/sign", json=GOOD).json() != first.json()
    other = http.post("/keys/ledger/sign", json={**GOOD, "format": "eosio"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    for malformed in ("", "two words", "x" * 129):
        answer = http.post("/keys/ledger/sign", json=GOOD, headers={"Idempotency-Key": malformed})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_idempotent_batch(http: httpx2.Client, ledger_key: Key) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"batch": [GOOD, {**GOOD, "format": "eosio"}]}
    first = http.post("/keys/ledger/sign", json=body, headers=headers).json()
    assert http.post("/keys/ledger/sign", json=body, headers=headers).json() == first
    assert oracle.recovered(bytes(range(32)), first["results"][1]["signature"]) == ledger_key.public_key_eosio


@pytest.mark.parametrize(
    ("type", "item"),
    [("ecc-p256", GOOD), ("hmac", {"data": "aGVsbG8="}), ("rsa-2048", {**GOOD, "format": "pss"})],
)
def test_a_key_made_anew_does_not_answer_with_the_old_ones_signature(
    http: httpx2.Client, type: str, item: dict[str, str]
) -> None:
    """The answer that is kept is that of the key that is gone."""
    name = f"anew-{secrets.token_hex(4)}"
    key, headers = {"name": name, "type": type, "usage": "sign"}, {"Idempotency-Key": secrets.token_hex(8)}

    def sign() -> httpx2.Response:
        return http.post(f"/keys/{name}/sign", json=item, headers=headers)

    assert http.post("/keys", json=key).status_code == 201
    first = sign()
    assert first.status_code == 200 and sign().json() == first.json()
    assert http.delete(f"/keys/{name}").status_code == 204
    assert (sign().status_code, sign().json()["code"]) == (404, "key_not_found")
    assert http.post("/keys", json=key).status_code == 201
    assert (sign().status_code, sign().json()["code"]) == (409, "idempotency_conflict")
    fresh = http.post(f"/keys/{name}/sign", json=item)
    assert fresh.status_code == 200 and fresh.json() != first.json()
    verified = http.post(f"/keys/{name}/verify", json={**item, "signature": fresh.json()["signature"]})
    assert verified.json() == {"valid": True}
    http.delete(f"/keys/{name}")
