"""Who may call: Cognito access tokens (client credentials), RS256 against the pool's JWKS.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
"""

import logging
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import httpx
import jwt
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tpm.service import settings
from tpm.service.errors import ForbiddenError, TokenRefusedError, UnavailableError

if TYPE_CHECKING:  # DRF imports this module while it imports its views
    from rest_framework.views import APIView

log = logging.getLogger(__name__)

ALGORITHM = "RS256"
TOKEN_USE = "access"  # noqa: S105 - and not "id", which tells who somebody is, not what he may do
REQUIRED = ["exp", "iss", "token_use", "client_id", "scope"]
REFETCH_S = 60.0  # at most one fetch in this time, however many unknown key ids come
RETRY_S = 1.0  # after a fetch that failed
FETCH_TIMEOUT_S = 3.0
LEEWAY_S = 5  # our clock and the provider's
MAX_TOKENS = 256
CACHED_TOKEN_S = 60.0  # a verified token is not verified again for so long, or until it expires


@dataclass(frozen=True)
class Caller:
    """The program that a valid token names."""

    client_id: str
    scopes: frozenset[str]
    is_authenticated: bool = field(default=True, init=False)


class SigningKeys:
    """The pool's public keys by key id: fetched when one is unknown, kept when the provider is down."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._next_fetch = 0.0
        self._last_failed = False
        self._fetching = threading.Lock()

    def get(self, kid: str) -> jwt.PyJWK | None:
        """Return the key, or None when the pool has none of this id; raises UnavailableError when it cannot ask."""
        if kid not in self._keys:
            with self._fetching:
                if kid not in self._keys and time.monotonic() >= self._next_fetch:
                    self._fetch()
        key = self._keys.get(kid)
        if key is None and self._last_failed:
            raise UnavailableError("cannot read the identity provider's keys", code="identity_provider_unavailable")
        return key

    def _fetch(self) -> None:
        try:
            answer = httpx.get(self._url, timeout=FETCH_TIMEOUT_S)
            answer.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        except (httpx.HTTPError, ValueError, AttributeError, jwt.PyJWTError) as error:
            log.warning("cannot read the keys of the identity provider: %s", type(error).__name__)
            self._last_failed = True
            self._next_fetch = time.monotonic() + RETRY_S
            return
        self._keys = {key.key_id: key for key in keys if key.key_id}
        self._last_failed = False
        self._next_fetch = time.monotonic() + REFETCH_S


class TokenVerifier:
    """Turns a bearer token into its Caller, or refuses it."""

    def __init__(self, *, keys: SigningKeys, issuer: str, allowed_clients: Collection[str]) -> None:
        self._keys = keys
        self._issuer = issuer
        self._allowed_clients = frozenset(allowed_clients)
        self._verified: dict[str, tuple[float, Caller]] = {}

    def verify(self, token: str) -> Caller:
        """Check signature, issuer, times, use, client; raises TokenRefusedError, ForbiddenError, UnavailableError."""
        good_until, caller = self._verified.get(token, (0.0, None))
        if caller is not None and time.time() < good_until:
            return caller
        claims = self._claims(token)
        if claims["token_use"] != TOKEN_USE:
            raise TokenRefusedError("token_use: expected 'access'")
        client_id = claims["client_id"]
        if not isinstance(client_id, str) or client_id not in self._allowed_clients:
            raise ForbiddenError("this client is not in the list of allowed ones", code="client_not_allowed")
        caller = Caller(client_id, frozenset(str(claims["scope"]).split()))
        self._remember(token, float(claims["exp"]), caller)
        return caller

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != ALGORITHM:
                raise TokenRefusedError(f"alg: expected {ALGORITHM}")
            key = self._keys.get(str(header.get("kid", "")))
            if key is None:
                raise TokenRefusedError("kid: no such key")
            options: Any = {"require": REQUIRED, "verify_aud": False}
            return jwt.decode(token, key, algorithms=[ALGORITHM], issuer=self._issuer, leeway=LEEWAY_S, options=options)
        except jwt.ExpiredSignatureError:
            raise TokenRefusedError("the token has expired", code="token_expired") from None
        except jwt.PyJWTError as error:
            raise TokenRefusedError(f"not a valid access token ({type(error).__name__})") from None

    def _remember(self, token: str, expires: float, caller: Caller) -> None:
        if len(self._verified) >= MAX_TOKENS:
            self._verified = {}
        self._verified[token] = (min(expires, time.time() + CACHED_TOKEN_S), caller)


class BearerAuthentication(BaseAuthentication):
    """DRF's door: `request.user` becomes the Caller."""

    def authenticate(self, request: Request) -> tuple[Caller, str]:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise TokenRefusedError("expected the header 'Authorization: Bearer …'", code="token_missing")
        return _verifier().verify(token), token


class HasScope(BasePermission):
    """The token has to hold the `scope` that the view names."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scope: str = view.scope  # type: ignore[attr-defined]
        if scope not in cast(Caller, request.user).scopes:
            raise ForbiddenError(f"expected a token with scope {scope!r}", code="insufficient_scope")
        return True


@cache
def _verifier() -> TokenVerifier:
    return TokenVerifier(
        keys=SigningKeys(settings.TPM_JWKS_URL),
        issuer=settings.TPM_TOKEN_ISSUER,
        allowed_clients=settings.TPM_ALLOWED_CLIENTS,
    )
