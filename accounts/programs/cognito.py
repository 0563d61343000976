"""Access tokens that Cognito gave to programs (client credentials): RS256 against the user pool's JWKS.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
"""

from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings

from accounts.pool_keys import pool_key
from accounts.programs import scopes
from accounts.programs.tokens import TokenRefused

REQUIRED = ["exp", "iss", "sub", "token_use", "client_id"]
LEEWAY_S = 5  # our clock and the provider's


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
            pool_key(settings.API_TOKEN_JWKS_URL, str(header.get("kid", ""))),
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
