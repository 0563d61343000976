"""The claims of Cognito's tokens, and how they are signed."""

import base64
import hashlib
import time
import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from dev.cognito.pool import TOKEN_LIFETIME_S, Client, Person, SignIn

POOL = "local_EVPortal"


def access_claims(*, issuer: str, client_id: str, scope: str, lifetime_s: int = TOKEN_LIFETIME_S) -> dict[str, Any]:
    """Return the claims of an access token as Cognito makes it for client credentials."""
    now = int(time.time())
    return {
        "sub": client_id,
        "token_use": "access",
        "scope": scope,
        "auth_time": now,
        "iss": issuer,
        "exp": now + lifetime_s,
        "iat": now,
        "version": 2,
        "jti": str(uuid.uuid4()),
        "client_id": client_id,
    }


def person_access_claims(*, issuer: str, client: Client, person: Person, sign_in: SignIn) -> dict[str, Any]:
    """Return the claims of the access token of a person."""
    claims = access_claims(issuer=issuer, client_id=client.client_id, scope=sign_in.scope, lifetime_s=client.lifetime_s)
    return {**claims, **_of_person(person, sign_in), "username": person.username}


def id_claims(*, issuer: str, client: Client, person: Person, sign_in: SignIn, access_token: str) -> dict[str, Any]:
    """Return the claims of an id token; the nonce only with the first one of a sign-in."""
    now = int(time.time())
    digest = hashlib.sha256(access_token.encode()).digest()[:16]
    claims = {
        **_of_person(person, sign_in),
        "at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "email_verified": person.email_verified,
        "iss": issuer,
        "cognito:username": person.username,
        "aud": client.client_id,
        "token_use": "id",
        "exp": now + client.lifetime_s,
        "iat": now,
        "jti": str(uuid.uuid4()),
        "email": person.email,
    }
    return claims | ({"nonce": sign_in.nonce} if sign_in.nonce else {})


def _of_person(person: Person, sign_in: SignIn) -> dict[str, Any]:
    """What both tokens say; somebody in no group has no `cognito:groups` at all."""
    claims = {
        "sub": person.sub,
        "origin_jti": sign_in.origin_jti,
        "event_id": str(uuid.uuid4()),
        "auth_time": sign_in.auth_time,
    }
    return claims | ({"cognito:groups": list(person.groups)} if person.groups else {})


def sign_token(key: RSAKey, claims: dict[str, Any]) -> str:
    """Return the claims as a JWT signed RS256, with Cognito's header (kid, alg)."""
    return jwt.encode({"kid": key.kid, "alg": "RS256"}, claims, key, default_type=None)
