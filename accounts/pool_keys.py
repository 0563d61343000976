"""The public keys of the identity provider's user pool (a JWK Set, RFC 7517): read here for logins and for programs."""

import logging
import time
from functools import cache
from typing import Any

import jwt

log = logging.getLogger(__name__)

FETCH_TIMEOUT_S = 3
KEYS_AGE_S = 300  # a key that the pool has withdrawn is trusted no longer
FETCH_EVERY_S = 30  # however many unknown key ids come; a pool shows a new key before it signs with it
RETRY_S = 1  # after a failed fetch while there is no key at all: nobody could be let in


class PoolUnreachable(Exception):
    """The pool's keys cannot be read, and none were read before."""


class PoolKeys(jwt.PyJWKClient):
    """The pool's public keys; fetched twice a minute at most, and kept while the provider is away."""

    def __init__(self, url: str) -> None:
        super().__init__(url, lifespan=KEYS_AGE_S, timeout=FETCH_TIMEOUT_S, cooldown_duration=FETCH_EVERY_S)
        self._kept: Any = None
        self._next_fetch = 0.0

    def fetch_data(self) -> Any:
        """Return the JWK Set, the one of before where it cannot be had now; raises PyJWKClientConnectionError."""
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


@cache
def pool_keys(url: str) -> PoolKeys:
    """The keys of the pool at this address: one reader a process, whoever asks."""
    return PoolKeys(url)


def pool_key(url: str, kid: str) -> jwt.PyJWK:
    """Return the key of this id; raises PoolUnreachable, or jwt.PyJWKClientError where the pool has no such key."""
    try:
        return pool_keys(url).get_signing_key(kid)
    except jwt.PyJWKClientConnectionError as error:
        raise PoolUnreachable("the identity provider's keys cannot be read") from error
