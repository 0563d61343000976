"""Who may call: Cognito access tokens (client credentials), RS256 against the pool's JWKS.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html

Scopes are those of a Cognito resource server `tpm`, which are strings `server/name`:

    tpm/keys tpm/sign tpm/crypto tpm/seal tpm/attest    the resource, with every key
    tpm/sign:ledger                                     the resource, with the key (or sealed object) `ledger` only

A client limited to keys gets `tpm/sign:NAME` for each of them, and not `tpm/sign`. What names no key in its URL (list,
create, random, hash) needs the scope without a name. Each name of a key can stand in a scope (Cognito refuses blanks,
quotes, '/' and backslash there); a resource server has room for 100 scopes, a client for 50.
"""

import json
import logging
import socket
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
import jwt
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from tpm.service import settings
from tpm.service.door.limits import ClientRate
from tpm.service.errors import ForbiddenError, TokenRefusedError, UnavailableError
from tpm.service.turn import caller

log = logging.getLogger(__name__)

ALGORITHM = "RS256"
TOKEN_USE = "access"  # noqa: S105 - and not "id", which tells who somebody is, not what they may do
REQUIRED = ["exp", "iss", "token_use", "client_id"]
RETRY_S = 1.0  # after a failed fetch while we have no key at all: nobody could be let in
FETCH_TIMEOUT_S = 3.0
FETCH_S = 6.0  # in all: the time-out is one for each read
FETCH_MAX_BYTES = 262_144
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
    """The pool's public keys by key id: fetched when one is unknown or they are old, kept when the provider is down.

    Once there are keys, one fetch is made in `refetch_s` at most, whether it fails or not and however many unknown
    key ids come. Keys older than `age_s` are fetched anew, so that one that the pool has withdrawn is trusted no more.
    """

    def __init__(self, url: str, *, refetch_s: float, age_s: float) -> None:
        self._url = url
        self._refetch_s = refetch_s
        self._age_s = age_s
        self._keys: dict[str, jwt.PyJWK] = {}
        self._next_fetch = 0.0  # by the monotonic clock, as all here
        self._old_at = 0.0
        self._last_failed = False
        self._fetching = threading.Lock()

    def get(self, kid: str) -> jwt.PyJWK | None:
        """Return the key, or None when the pool has none of this id; raises UnavailableError when it cannot ask.

        Only one with an unknown key waits for the provider, and none waits for a provider that just failed: when it
        hangs, it would hold one thread after the other, until none is left for the known keys.
        """
        if kid not in self._keys:
            self._fetch_if_due(kid, wait=not self._last_failed)
        elif self._due(kid) and not self._fetching.locked():
            threading.Thread(target=self._fetch_if_due, args=(kid,), kwargs={"wait": False}, daemon=True).start()
        key = self._keys.get(kid)
        if key is None and self._last_failed:
            raise UnavailableError("cannot read the identity provider's keys", code="identity_unavailable")
        return key

    def _due(self, kid: str) -> bool:
        now = time.monotonic()
        return now >= self._next_fetch and (kid not in self._keys or now >= self._old_at)

    def _fetch_if_due(self, kid: str, *, wait: bool) -> None:
        if self._due(kid) and self._fetching.acquire(blocking=wait):
            try:
                if self._due(kid):
                    self._fetch()
            finally:
                self._fetching.release()

    def _fetch(self) -> None:
        try:
            keys = _pool_keys(self._url)
        except (
            *(httpx2.HTTPError, jwt.PyJWTError, RecursionError),
            *(ValueError, LookupError, TypeError, AttributeError),
        ) as error:
            log.warning("cannot read the keys of the identity provider: %s", type(error).__name__)
            self._last_failed = True
            self._next_fetch = time.monotonic() + (self._refetch_s if self._keys else RETRY_S)
            return
        self._keys = keys
        self._last_failed = False
        self._next_fetch = time.monotonic() + self._refetch_s
        self._old_at = time.monotonic() + self._age_s


def _pool_keys(url: str) -> dict[str, jwt.PyJWK]:
    """Fetch a JWK set; raises what httpx2 and PyJWT raise at all that is none (PyJWT leaks a KeyError, too)."""
    keys = jwt.PyJWKSet.from_dict(json.loads(_fetched(url))).keys
    usable = {key.key_id: key for key in keys if key.key_id and key.key_type == "RSA"}
    if not usable:
        raise ValueError("expected at least one RSA key with an id")
    return usable


def _fetched(url: str) -> bytes:
    """What is there, never unpacked, up to a size and for a while; raises httpx2's errors and ValueError."""
    connections: list[socket.socket] = []

    def trace(event: str, found: dict[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            connections.append(found["return_value"].get_extra_info("socket"))

    def cut() -> None:
        with suppress(OSError, IndexError):
            connections[-1].shutdown(socket.SHUT_RDWR)

    content, timer = bytearray(), threading.Timer(FETCH_S, cut)
    timer.daemon = True
    timer.start()
    try:
        with (
            httpx2.Client(timeout=FETCH_TIMEOUT_S, headers={"Accept-Encoding": "identity"}) as http,
            http.stream("GET", url, extensions={"trace": trace}) as answer,
        ):
            answer.raise_for_status()
            for part in answer.iter_raw():
                content += part
                if len(content) > FETCH_MAX_BYTES:
                    raise ValueError(f"expected at most {FETCH_MAX_BYTES} bytes")
    finally:
        timer.cancel()
    return bytes(content)


class TokenVerifier:
    """Turns a bearer token into its Caller, or refuses it."""

    def __init__(self, *, keys: SigningKeys, issuer: str, allowed_clients: Collection[str]) -> None:
        self._keys = keys
        self._issuer = issuer
        self._allowed_clients = frozenset(allowed_clients)
        self._verified: dict[str, tuple[float, Caller]] = {}

    def verify(self, token: str) -> Caller:
        """Check signature, issuer, times, use, client; raises TokenRefusedError, ForbiddenError, UnavailableError."""
        good_until, known = self._verified.get(token, (0.0, None))
        if known is not None and time.time() < good_until:
            return known
        claims = self._claims(token)
        if claims["token_use"] != TOKEN_USE:
            raise TokenRefusedError("token_use: expected 'access'")
        client_id = claims["client_id"]
        if not isinstance(client_id, str) or client_id not in self._allowed_clients:
            raise ForbiddenError("this client is not in the list of allowed ones", code="client_not_allowed")
        verified = Caller(client_id, frozenset(str(claims.get("scope", "")).split()))
        self._remember(token, float(claims["exp"]), verified)
        return verified

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
        except jwt.ImmatureSignatureError:
            raise TokenRefusedError("the token is not valid yet", code="token_not_yet_valid") from None
        except jwt.PyJWTError as error:
            raise TokenRefusedError(f"not a valid access token ({type(error).__name__})") from None

    def _remember(self, token: str, expires: float, verified: Caller) -> None:
        if len(self._verified) >= MAX_TOKENS:
            self._verified = {}
        self._verified[token] = (min(expires, time.time() + CACHED_TOKEN_S), verified)


class BearerAuthentication(BaseAuthentication):
    """DRF's door: `request.user` becomes the Caller, who from here on is counted and waits in a queue of their own."""

    def authenticate(self, request: Request) -> tuple[Caller, None]:
        """Return the Caller, and no credentials beside; raises what `bearer` raises: nobody is anonymous."""
        return bearer(request.META.get("HTTP_AUTHORIZATION", "")), None


def bearer(authorization: str) -> Caller:
    """Return whose token this header has, and count the request; raises as `TokenVerifier.verify`, RateLimitedError."""
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not token:
        raise TokenRefusedError("expected the header 'Authorization: Bearer …'", code="token_missing")
    verified = _verifier().verify(token)
    _rate().take(verified.client_id)
    caller.set(verified.client_id)
    return verified


def require_scope(holder: Caller, scope: str, key: str | None = None) -> None:
    """Raise ForbiddenError unless the holder may use `scope` with this key; without one, with every key."""
    if scope in holder.scopes or (key is not None and f"{scope}:{key}" in holder.scopes):
        return
    if key is not None and any(held.startswith(f"{scope}:") for held in holder.scopes):
        raise ForbiddenError(f"expected a token with scope '{scope}:{key}' or {scope!r}", code="key_not_in_scope")
    raise ForbiddenError(f"expected a token with scope {scope!r}", code="insufficient_scope")


@cache
def _verifier() -> TokenVerifier:
    return TokenVerifier(
        keys=SigningKeys(settings.TPM_JWKS_URL, refetch_s=settings.TPM_JWKS_REFETCH_S, age_s=settings.TPM_JWKS_AGE_S),
        issuer=settings.TPM_TOKEN_ISSUER,
        allowed_clients=settings.TPM_ALLOWED_CLIENTS,
    )


@cache
def _rate() -> ClientRate:
    return ClientRate(per_s=settings.TPM_CLIENT_RATE, burst=settings.TPM_CLIENT_BURST)
