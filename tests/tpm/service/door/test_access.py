"""Who may call: every way in which a token can be wrong is refused, with a code that says which."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from joserfc.jwk import RSAKey

from dev.cognito import access_claims, sign_token
from dev.parts.tpm_service import SCOPES, TpmStack
from tests.waiting import until
from tpm.client import Key, TpmClient, TpmRefused, TpmUnavailable

Claims = dict[str, Any]


def good_claims(stack: TpmStack, **changes: Any) -> Claims:
    claims = access_claims(issuer=stack.provider.issuer, client_id=stack.portal.client_id, scope=" ".join(SCOPES))
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def own(stack: TpmStack, **changes: Any) -> str:
    """Return a token signed with the pool's own key, with some claims changed (None leaves one out)."""
    return sign_token(stack.provider.pool.signing_key(), good_claims(stack, **changes))


def by_hand(header: Claims, claims: Claims, sign: Callable[[bytes], bytes]) -> str:
    """Return a JWT as no honest library would make it."""

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(sign(signed))).decode()


def hs256_with_the_public_key(stack: TpmStack) -> str:
    """The classic confusion: the verifier's public key taken for a shared secret."""
    key = stack.provider.pool.signing_key()
    pem = load_der_public_key(key.as_der(private=False)).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "kid": key.kid}
    return by_hand(header, good_claims(stack), lambda data: hmac.digest(pem, data, hashlib.sha256))


def alg_none(stack: TpmStack) -> str:
    header = {"alg": "none", "kid": stack.provider.pool.signing_key().kid}
    return by_hand(header, good_claims(stack), lambda data: b"")


def foreign_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid})


def foreign_key_same_kid(stack: TpmStack) -> str:
    return sign_token(foreign_key(str(stack.provider.pool.signing_key().kid)), good_claims(stack))


def tampered(stack: TpmStack) -> str:
    head, _, signature = own(stack, scope="tpm/keys").split(".")
    return f"{head}.{own(stack).split('.')[1]}.{signature}"


REFUSED: dict[str, tuple[Callable[[TpmStack], str], int, str]] = {
    # what: (the token, status, code)
    "alg none": (alg_none, 401, "token_invalid"),
    "HS256 with the public key": (hs256_with_the_public_key, 401, "token_invalid"),
    "another key": (foreign_key_same_kid, 401, "token_invalid"),
    "unknown kid": (
        lambda s: sign_token(foreign_key("x"), good_claims(s)),
        401,
        "token_invalid",
    ),
    "claims changed": (tampered, 401, "token_invalid"),
    "no JWT": (lambda s: "abc", 401, "token_invalid"),
    "other issuer": (lambda s: own(s, iss=s.provider.issuer + "2"), 401, "token_invalid"),
    "issuer missing": (lambda s: own(s, iss=None), 401, "token_invalid"),
    "expired": (lambda s: own(s, exp=int(time.time()) - 60), 401, "token_expired"),
    "no expiry": (lambda s: own(s, exp=None), 401, "token_invalid"),
    "not yet valid": (lambda s: own(s, nbf=int(time.time()) + 600), 401, "token_not_yet_valid"),
    "issued tomorrow": (lambda s: own(s, iat=int(time.time()) + 86_400), 401, "token_not_yet_valid"),
    "id token": (lambda s: own(s, token_use="id"), 401, "token_invalid"),
    "use missing": (lambda s: own(s, token_use=None), 401, "token_invalid"),
    "other client": (lambda s: own(s, client_id="somebody"), 403, "client_not_allowed"),
    "client of no sort": (lambda s: own(s, client_id=["somebody"]), 403, "client_not_allowed"),
    "no scope": (lambda s: own(s, scope=""), 403, "insufficient_scope"),
    "scope missing": (lambda s: own(s, scope=None), 403, "insufficient_scope"),
    "scope for one key": (lambda s: own(s, scope="tpm/keys:ledger"), 403, "insufficient_scope"),
    "other scope": (lambda s: own(s, scope="tpm/keysign tpm/sign"), 403, "insufficient_scope"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tpm_stack: TpmStack, case: str) -> None:
    make, status, code = REFUSED[case]
    answer = httpx2.get(f"{tpm_stack.service_url}/v1/keys", headers={"Authorization": f"Bearer {make(tpm_stack)}"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (status == 401) == ("www-authenticate" in answer.headers)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic eDp5"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/keys"), ("POST", "/keys"), ("DELETE", "/keys/a"), ("POST", "/keys/a/sign")]
)
def test_without_a_token(tpm_stack: TpmStack, header: str | None, method: str, path: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = httpx2.request(method, f"{tpm_stack.service_url}/v1{path}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")


def test_each_scope_opens_its_own_door(tpm_stack: TpmStack, ledger_key: Key) -> None:
    signer = tpm_stack.client(scopes=["tpm/sign"])
    assert signer.sign("ledger", bytes(32)).startswith("SIG_R1_")
    keeper = tpm_stack.client(scopes=["tpm/keys"])
    assert keeper.key_get("ledger") == ledger_key
    for refused in (
        lambda: signer.key_get("ledger"),
        lambda: signer.key_create("more"),
        lambda: signer.key_delete("ledger"),
        lambda: keeper.sign("ledger", bytes(32)),
    ):
        with pytest.raises(TpmRefused) as caught:
            refused()
        assert (caught.value.code, caught.value.permanent) == ("insufficient_scope", True)


def test_a_client_limited_to_some_keys(tpm_stack: TpmStack, tpm_client: TpmClient, ledger_key: Key) -> None:
    """Each refusal comes before the service looks for the key: nobody learns which keys there are."""
    tpm_client.key_create("ledger-2")
    limited = own(tpm_stack, scope="tpm/sign:ledger tpm/sign:archive tpm/keys:ledger")
    client = TpmClient(tpm_stack.service_url, lambda: limited)
    assert client.sign("ledger", bytes(32)).startswith("SIG_R1_")
    assert client.key_get("ledger") == ledger_key
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: client.sign("ledger-2", bytes(32)), "key_not_in_scope"),
        (lambda: client.sign("led", bytes(32)), "key_not_in_scope"),
        (lambda: client.key_get("ledger-2"), "key_not_in_scope"),
        (lambda: client.key_delete("ledger-2"), "key_not_in_scope"),
        (lambda: client.key_get("archive"), "key_not_in_scope"),
        (lambda: client.key_list(), "insufficient_scope"),
        (lambda: client.key_create("ledger"), "insufficient_scope"),
        (lambda: client.sign("archive", bytes(32)), "key_not_found"),
    ]
    for call, code in refused:
        with pytest.raises(TpmRefused) as caught:
            call()
        assert caught.value.code == code
    tpm_client.key_delete("ledger-2")


def test_the_pool_grants_a_client_its_keys_scope(tpm_stack: TpmStack, ledger_key: Key) -> None:
    scopes = ["tpm/sign:ledger"]
    neighbour = tpm_stack.provider.pool.ensure_client("neighbour", scopes)
    try:
        assert tpm_stack.client(neighbour, scopes=scopes).sign("ledger", bytes(32)).startswith("SIG_R1_")
        with pytest.raises(TpmRefused, match="token"):
            tpm_stack.client(neighbour, scopes=["tpm/sign"]).sign("ledger", bytes(32))
    finally:
        tpm_stack.provider.pool.ensure_client("neighbour", SCOPES)


def test_another_client_does_not_meet_my_idempotency_keys(tpm_stack: TpmStack, ledger_key: Key) -> None:
    """The same Idempotency-Key with another body: refused for one client, and nothing to the other."""
    url = f"{tpm_stack.service_url}/v1/keys/ledger/sign"
    first, second = ({"digest": base64.b64encode(bytes([n]) * 32).decode(), "format": "der"} for n in (1, 2))

    def post(client_id: str, body: object) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {own(tpm_stack, client_id=client_id)}", "Idempotency-Key": "same"}
        return httpx2.post(url, json=body, headers=headers)

    assert post(tpm_stack.portal.client_id, first).status_code == 200
    refused = post(tpm_stack.portal.client_id, second)
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")
    assert post(tpm_stack.neighbour.client_id, second).status_code == 200


def test_a_client_that_is_not_on_the_list(tpm_stack: TpmStack) -> None:
    stranger = tpm_stack.provider.pool.ensure_client("stranger", SCOPES)
    with pytest.raises(TpmRefused, match="client_not_allowed"):
        tpm_stack.client(stranger).key_list()


def test_provider_down(tpm_stack: TpmStack, tpm_client: TpmClient, ledger_key: Key) -> None:
    """Known keys go on working; one who needs a token hears that it may come later."""
    tpm_client.sign("ledger", bytes(32))
    fresh = own(tpm_stack)
    tpm_stack.provider.stop()
    try:
        answer = httpx2.get(f"{tpm_stack.service_url}/v1/keys", headers={"Authorization": f"Bearer {fresh}"})
        assert answer.status_code == 200
        with pytest.raises(TpmUnavailable, match="token") as caught:
            tpm_stack.client().key_list()
        assert not caught.value.permanent
    finally:
        tpm_stack.provider.start()


def test_service_that_starts_before_the_provider(tpm_stack: TpmStack) -> None:
    token = own(tpm_stack)
    tpm_stack.kill_service()
    tpm_stack.provider.stop()
    try:
        tpm_stack.start_service()
        url, headers = f"{tpm_stack.service_url}/v1/keys", {"Authorization": f"Bearer {token}"}
        answer = httpx2.get(url, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "identity_unavailable")
    finally:
        tpm_stack.provider.start()
    until(lambda: httpx2.get(url, headers=headers).status_code == 200)
