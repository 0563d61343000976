"""The public keys of the identity provider's user pool (a JWK Set, RFC 7517): read here for logins and for programs.

A pool that rotates its keys signs with one that nobody here has seen: it is asked for at once, whenever the keys were
read last. However many made-up key ids come, the pool is asked once a second at most; whoever comes meanwhile waits
for that answer. While the provider is away the keys of before are kept, and nobody waits for it again and again.
"""

import logging
import threading
import time
from functools import cache

import jwt

from common.outgoing.asking import Asker, NoAnswer, Patience

log = logging.getLogger(__name__)

PATIENCE = Patience(connect_s=3.0, read_s=5.0, whole_s=8.0)
ANSWER_MAX_BYTES = 262_144
KEYS_AGE_S = 300.0  # a key that the pool has withdrawn is trusted no longer
FETCH_EVERY_S = 1.0
RETRY_S = 10.0  # after a failed fetch; while there is no key at all, nobody could be let in: FETCH_EVERY_S


class PoolUnreachable(Exception):
    """The pool's keys cannot be read, and none were read before."""


class KeyUnknown(jwt.PyJWTError):
    """The pool has no such key."""


class PoolKeys:
    """The keys of the pool at one address; threads share it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._asker = Asker()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetching = threading.Lock()
        self._next_fetch = float("-inf")
        self._old_at = float("-inf")

    def get(self, kid: str) -> jwt.PyJWK:
        """The key of this id; raises KeyUnknown, PoolUnreachable."""
        if kid not in self._keys:
            with self._fetching:  # who waited for another's fetch finds what it brought
                self._fetch_if_due(kid)
        elif time.monotonic() >= self._old_at and self._fetching.acquire(blocking=False):
            try:
                self._fetch_if_due(kid)
            finally:
                self._fetching.release()
        if not self._keys:
            raise PoolUnreachable("the identity provider's keys cannot be read")
        if kid not in self._keys:
            raise KeyUnknown("the pool has no key of this id")
        return self._keys[kid]

    def _fetch_if_due(self, kid: str) -> None:
        now = time.monotonic()
        if now < self._next_fetch or (kid in self._keys and now < self._old_at):
            return
        try:
            self._keys = self._fetch()
        except (NoAnswer, jwt.PyJWTError, ValueError, LookupError, TypeError, AttributeError) as error:
            log.warning("cannot read the keys of the identity provider: %s", type(error).__name__)
            self._next_fetch = time.monotonic() + (RETRY_S if self._keys else FETCH_EVERY_S)
            return
        self._next_fetch, self._old_at = now + FETCH_EVERY_S, now + KEYS_AGE_S

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        answer = self._asker.ask("GET", self._url, patience=PATIENCE, most=ANSWER_MAX_BYTES)
        if not answer.is_success:
            raise ValueError(f"status {answer.status}")
        found = {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.json()).keys if key.key_id}
        if not found:
            raise ValueError("expected at least one key with an id")
        return found


@cache
def pool_keys(url: str) -> PoolKeys:
    """The keys of the pool at this address: one reader a process, whoever asks."""
    return PoolKeys(url)


def pool_key(url: str, kid: str) -> jwt.PyJWK:
    """Return the key of this id; raises PoolUnreachable, or KeyUnknown where the pool has no such key."""
    return pool_keys(url).get(kid)
