"""The identity provider (a Cognito user pool): the one door to it. Discovery, code exchange, renewal, id tokens."""

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from django.conf import settings

from accounts.login.errors import IdentityUnavailableError, LoginRefusedError
from accounts.pool_keys import PoolUnreachable, pool_key
from common.outgoing.asking import Answer, Asker, NoAnswer, Patience

log = logging.getLogger(__name__)

PATIENCE = Patience(5.0, 5.0, 10.0)
ANSWER_MAX_BYTES = 262_144
DISCOVERY_LIFETIME_S = 3600
CLOCKS_APART_S = 10
SUB_MAX = 64
ALGORITHM = "RS256"


@dataclass(frozen=True)
class Provider:
    """The addresses that discovery tells."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    revocation_endpoint: str = ""


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gave; a renewal brings no new refresh token unless the pool rotates them."""

    id_token: str
    access_token: str
    refresh_token: str


def provider() -> Provider:
    """Return the provider's addresses, asked once an hour (OpenID Connect Discovery 1.0, section 4).

    Raises IdentityUnavailableError, also when no provider is set up.
    """
    if not settings.OIDC_ISSUER or not settings.OIDC_RP_CLIENT_ID:
        raise IdentityUnavailableError("EVPORTAL_OIDC_ISSUER and EVPORTAL_OIDC_CLIENT_ID are not set")
    return _provider(settings.OIDC_ISSUER, int(time.monotonic() // DISCOVERY_LIFETIME_S))


@lru_cache(maxsize=2)  # what failed is not kept: the next login asks again
def _provider(issuer: str, _hour: int) -> Provider:
    found = _json(_asked("GET", f"{issuer}/.well-known/openid-configuration"))
    try:
        names = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
        revocation = str(found.get("revocation_endpoint", ""))
        addresses = Provider(**{name: str(found[name]) for name in names}, revocation_endpoint=revocation)
    except KeyError as error:
        raise IdentityUnavailableError(f"discovery: expected {error}, got {sorted(found)}") from error
    if addresses.issuer != issuer:
        raise IdentityUnavailableError(f"discovery: expected issuer {issuer}, got {addresses.issuer}")
    return addresses


def code_exchange(form: Mapping[str, str]) -> Tokens:
    """Exchange a code (RFC 6749, section 4.1.3); raises LoginRefusedError for one that is used, late or foreign."""
    return _tokens(form)


def tokens_renew(refresh_token: str) -> Tokens:
    """Get new tokens (RFC 6749, section 6); raises LoginRefusedError for a person or token that is disabled."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    secret = {"client_id": settings.OIDC_RP_CLIENT_ID, "client_secret": settings.OIDC_RP_CLIENT_SECRET}
    return _tokens(form | secret)


def token_revoke(refresh_token: str) -> None:
    """Take a refresh token back, and what came from it (RFC 7009). Nobody waits for a provider that is away."""
    client = (settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET)
    try:
        endpoint = provider().revocation_endpoint
        if refresh_token and endpoint:
            answer = _asked("POST", endpoint, data={"token": refresh_token}, auth=client)
            if not answer.is_success:
                log.warning("a refresh token is not revoked: the provider answered %d", answer.status)
    except IdentityUnavailableError as error:
        log.warning("a refresh token is not revoked: %s", error)


def _tokens(form: Mapping[str, str]) -> Tokens:
    answer = _asked("POST", provider().token_endpoint, data=dict(form))
    body = _json(answer)
    if not answer.is_success:
        raise LoginRefusedError(f"token endpoint: {answer.status} {body.get('error')}")
    try:
        renewed = body.get("refresh_token", form.get("refresh_token", ""))
        return Tokens(str(body["id_token"]), str(body["access_token"]), str(renewed))
    except KeyError as error:
        raise IdentityUnavailableError(f"token endpoint: expected {error}, got {sorted(body)}") from error


def id_token_verify(token: str, *, nonce: str | None = None, sub: str | None = None) -> dict[str, Any]:
    """Return the claims of an id token that is all right; raises LoginRefusedError (OIDC Core, section 3.1.3.7).

    1. It is signed RS256: not `none`, not HS256 with the public key for a secret.
    2. The signature is by the key of the pool's JWKS that its `kid` names.
    3. `iss` is our pool, `aud` is our client and nobody else, `exp` is to come, `iat` is over.
    4. `token_use` is `id`: an access token is no login.
    5. At a login, `nonce` is the one that this browser's login began with.
    6. At a renewal, `sub` is who logged in.
    """
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != ALGORITHM:  # 1
            raise LoginRefusedError(f"id token: expected alg {ALGORITHM}, got {header.get('alg')!r}")
        key = pool_key(provider().jwks_uri, str(header.get("kid")))  # 2
        claims: dict[str, Any] = jwt.decode(  # 3
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=settings.OIDC_ISSUER,
            audience=settings.OIDC_RP_CLIENT_ID,
            leeway=CLOCKS_APART_S,
            options={"require": ["iss", "aud", "exp", "iat", "sub"], "strict_aud": True},
        )
    except PoolUnreachable as error:
        raise IdentityUnavailableError(f"JWKS: {error}") from error
    except (jwt.PyJWTError, ValueError) as error:  # ValueError: PyJWT's own answer to some nonsense
        raise LoginRefusedError(f"id token: {type(error).__name__}: {error}") from error
    if claims.get("token_use") != "id":  # 4
        raise LoginRefusedError(f"id token: expected token_use id, got {claims.get('token_use')!r}")
    if sub is None and not (nonce and secrets.compare_digest(nonce, str(claims.get("nonce", "")))):  # 5
        raise LoginRefusedError("id token: the nonce is not the one of this login")
    if sub is not None and claims["sub"] != sub:  # 6
        raise LoginRefusedError("id token: renewed for somebody else")
    if not claims["sub"] or len(claims["sub"]) > SUB_MAX:
        raise LoginRefusedError("id token: expected a sub of 1 to 64 characters")
    return claims


def logout_url(*, back: str) -> str:
    """Cognito's logout endpoint (GET /logout), which leads the browser on to `back`: one of the client's logout URL."""
    return f"{settings.OIDC_DOMAIN}/logout?{urlencode({'client_id': settings.OIDC_RP_CLIENT_ID, 'logout_uri': back})}"


@lru_cache(maxsize=1)
def _asker() -> Asker:
    """One for all: making it takes longer than asking with it."""
    return Asker()


def _asked(method: str, url: str, **request: Any) -> Answer:
    """A success, or a refusal of what was asked; raises IdentityUnavailableError for everything else."""
    try:
        answer = _asker().ask(method, url, patience=PATIENCE, most=ANSWER_MAX_BYTES, **request)
    except NoAnswer as error:
        raise IdentityUnavailableError(f"{urlsplit(url).path}: {error}") from error
    if not (answer.is_success or 400 <= answer.status < 500) or answer.status == 429:
        raise IdentityUnavailableError(f"{urlsplit(url).path}: {answer.status}")
    return answer


def _json(answer: Answer) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError as error:
        raise IdentityUnavailableError(f"the provider answered {answer.status}, expected JSON") from error
    if not isinstance(found, dict):
        raise IdentityUnavailableError(f"the provider answered a {type(found).__name__}, expected an object")
    return found
