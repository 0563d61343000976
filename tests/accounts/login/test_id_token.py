"""The id token: only the provider's own, fresh, for us and for this login, is taken."""

import base64
import hmac
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import RSAKey

from accounts.login import identity
from accounts.login.errors import LoginRefusedError
from dev.cognito import Person, Provider
from tests.environment import COGNITO_CLIENT

pytestmark = pytest.mark.django_db
Forge = Callable[..., str]


def verify(token: str) -> dict[str, Any]:
    return identity.id_token_verify(token, nonce="the nonce")


def test_a_good_token_is_taken(forge: Forge, anna: Person) -> None:
    assert verify(forge())["sub"] == anna.sub


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "http://127.0.0.1:1/local_Other"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": [COGNITO_CLIENT.client_id, "another-client"]},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"iat": int(time.time()) + 3600},
        {"iat": None},
        {"nbf": int(time.time()) + 3600},
        {"token_use": "access"},
        {"token_use": None},
        {"nonce": "another nonce"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 65},
    ],
    ids=lambda changed: "-".join(f"{name}_{'none' if value is None else 'wrong'}" for name, value in changed.items()),
)
def test_a_wrong_claim_is_refused(forge: Forge, changed: dict[str, Any]) -> None:
    with pytest.raises(LoginRefusedError):
        verify(forge(**changed))


def test_no_signature_is_refused(forge: Forge) -> None:
    claims = jwt.decode(forge(), options={"verify_signature": False})
    kid = jwt.get_unverified_header(forge())["kid"]
    for alg in ("none", "None", "nOnE"):
        head = base64.urlsafe_b64encode(f'{{"alg":"{alg}","kid":"{kid}"}}'.encode()).rstrip(b"=").decode()
        body = forge().split(".")[1]
        for token in (f"{head}.{body}.", f"{head}.{body}.{forge().split('.')[2]}"):
            with pytest.raises(LoginRefusedError, match="alg"):
                verify(token)
    with pytest.raises(LoginRefusedError, match="alg"):
        verify(jwt.encode(claims, "", algorithm="none", headers={"kid": kid}))


def test_the_public_key_is_no_secret(forge: Forge, cognito: Provider) -> None:
    """HS256 with the public key, as PEM and as the library of the attacker would have it (algorithm confusion)."""
    key = cognito.pool.signing_key()
    public = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(f'{{"alg":"HS256","kid":"{key.kid}"}}'.encode()).rstrip(b"=").decode()
    body = forge().split(".")[1]
    for secret in (public, public.strip(), COGNITO_CLIENT.client_secret.encode()):
        signature = base64.urlsafe_b64encode(hmac.digest(secret, f"{head}.{body}".encode(), "sha256")).rstrip(b"=")
        with pytest.raises(LoginRefusedError, match="expected alg RS256, got 'HS256'"):
            verify(f"{head}.{body}.{signature.decode()}")


def test_a_foreign_key_is_refused(forge: Forge, cognito: Provider) -> None:
    """Unknown `kid`, and the right `kid` with another key's signature."""
    stranger = RSAKey.generate_key(2048, {"kid": "stranger"})
    with pytest.raises(LoginRefusedError):
        verify(forge(stranger))
    impostor = RSAKey.generate_key(2048, {"kid": str(cognito.pool.signing_key().kid)})
    with pytest.raises(LoginRefusedError, match="InvalidSignature"):
        verify(forge(impostor))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "." * 2, "e30.e30."])
def test_nonsense_is_refused(cognito: Provider, token: str) -> None:
    with pytest.raises(LoginRefusedError):
        verify(token)


def test_a_token_without_a_nonce_to_expect_is_refused(forge: Forge) -> None:
    with pytest.raises(LoginRefusedError):
        identity.id_token_verify(forge(), nonce="")
    with pytest.raises(LoginRefusedError):
        identity.id_token_verify(forge(nonce=None), nonce=None)
