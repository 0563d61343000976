"""Access tokens that Cognito gave to programs (client credentials): RS256 against the user pool's JWKS.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
"""

import logging
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from django.conf import settings

from accounts.programs import scopes
from accounts.programs.tokens import TokenRefused

log = logging.getLogger(__name__)

REQUIRED = ["exp", "iss", "sub", "token_use", "client_id"]
FETCH_TIMEOUT_S = 3
KEYS_AGE_S = 300  # a key that the pool has withdrawn is trusted no longer
FETCH_EVERY_S = 60  # however many unknown key ids come
RETRY_S = 1  # after a failed fetch while there is no key at all: nobody could be let in
LEEWAY_S = 5  # our clock and the provider's


class PoolUnreachable(Exception):
    """The pool's keys cannot be read, and none were read before."""


class PoolKeys(jwt.PyJWKClient):
    """The pool's public keys; fetched once a minute at most, and kept while the provider is away."""

    def __init__(self, url: str) -> None:
        super().__init__(url, lifespan=KEYS_AGE_S, timeout=FETCH_TIMEOUT_S, cooldown_duration=FETCH_EVERY_S)
        self._kept: Any = None
        self._next_fetch = 0.0

    def fetch_data(self) -> Any:
        now = time.monotonic()
        if now >= self._next_fetch:
            self._next_fetch = now + (RETRY_S if self._kept is None else FETCH_EVERY_S)
            try:
                self._kept = super().fetch_data()
            except (jwt.PyJWTError, ValueError, OSError) as error:  # ValueError: not JSON
                log.warning("cannot read the keys of the identity provider: %s", type(error).__name__)
        if self._kept is None:
            raise jwt.PyJWKClientConnectionError("the keys cannot be read")
        return self._kept


@dataclass(frozen=True)
class Access:
    """What a valid token says: which app client, and which of our scopes."""

    client_id: str
    scopes: frozenset[str]


def access_verify(token: str) -> Access:
    """Check signature, issuer, times, use and that it is a program's; raises TokenRefused, PoolUnreachable."""
    claims = _claims(token)
    if claims["token_use"] != "access":  # noqa: S105 - and not "id", which tells who somebody is
        raise TokenRefused("token_invalid", "token_use: expected 'access'")
    # A person's access token names the app client of the login page; a program's is its own subject.
    if claims["sub"] != claims["client_id"] or not isinstance(claims["client_id"], str):
        raise TokenRefused("token_invalid", "expected a token of the client credentials grant, got a person's")
    return Access(claims["client_id"], scopes.from_cognito(claims.get("scope")))


def _claims(token: str) -> dict[str, Any]:
    if not settings.API_TOKEN_ISSUER:
        raise TokenRefused("token_invalid", "expected a personal token: no identity provider is configured")
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != "RS256":
            raise TokenRefused("token_invalid", "alg: expected RS256")
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(str(header.get("kid", ""))),
            algorithms=["RS256"],
            issuer=settings.API_TOKEN_ISSUER,
            leeway=LEEWAY_S,
            options={"require": REQUIRED, "verify_aud": False},
        )
    except jwt.ExpiredSignatureError:
        raise TokenRefused("token_expired", "the token has expired") from None
    except (jwt.PyJWTError, ValueError) as error:  # ValueError: PyJWT's own answer to some nonsense
        raise TokenRefused("token_invalid", f"not a valid access token ({type(error).__name__})") from None
    return claims


def _key(kid: str) -> jwt.PyJWK:
    try:
        return pool_keys(settings.API_TOKEN_JWKS_URL).get_signing_key(kid)
    except jwt.PyJWKClientConnectionError as error:
        raise PoolUnreachable("the identity provider's keys cannot be read") from error


@cache
def pool_keys(url: str) -> PoolKeys:
    return PoolKeys(url)
