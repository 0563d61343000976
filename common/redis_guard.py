"""Redis, which only hurries things: where it does not answer it is left alone for some seconds, by all of a process.

A Redis that is away refuses at once; one that is frozen lets each caller wait for the time-out, one after the other.
So after the first of them nobody asks it for a while, and then one tries.

What the cache holds is sealed with the secret key: whoever can write to Redis could otherwise have each process run
what they like, as Django's cache keeps pickles.
"""

import hashlib
import hmac
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import redis
from django.conf import settings
from django.core.cache.backends import redis as django_redis
from kombu.exceptions import OperationalError

QUIET_S = 5.0
MAC_BYTES = 32


class Guard:
    """Whether to ask; `quiet_until` is of the monotonic clock."""

    def __init__(self) -> None:
        self.quiet_until = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around whatever asks; raises redis.ConnectionError at once where nobody should."""
        now = time.monotonic()
        if now < self.quiet_until:
            raise redis.ConnectionError("it did not answer, and is left alone for some seconds")
        trying = self.quiet_until > 0.0
        if trying:  # alone: the others go on without it
            self.quiet_until = now + QUIET_S
        try:
            yield
        except (redis.TimeoutError, redis.ConnectionError, OperationalError, OSError):
            self.quiet_until = time.monotonic() + QUIET_S
            raise
        if trying:
            self.quiet_until = 0.0


guard = Guard()


class GuardedRedis(redis.Redis):
    """Each command by way of the guard."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis does; raises what it raises, or at once ConnectionError."""
        with guard.asking():
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


class SealedPickles:
    """Values with a code of the secret key before them; what has none, or another, is not there."""

    @cached_property
    def _key(self) -> bytes:
        return hashlib.sha256(b"evportal cache" + settings.SECRET_KEY.encode()).digest()

    def dumps(self, obj: Any) -> Any:
        """Numbers stay what they are, so that Redis can count them."""
        if type(obj) is int:
            return obj
        pickled = pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)
        return self._mac(pickled) + pickled

    def loads(self, data: bytes) -> Any:
        """The value, or None."""
        try:
            return int(data)
        except ValueError:
            mac, pickled = data[:MAC_BYTES], data[MAC_BYTES:]
            known = hmac.compare_digest(mac, self._mac(pickled))
            return pickle.loads(pickled) if known else None  # noqa: S301 - it is ours

    def _mac(self, pickled: bytes) -> bytes:
        return hmac.digest(self._key, pickled, "sha256")


class GuardedClient(django_redis.RedisCacheClient):
    """Django's, over the guard."""

    def __init__(self, servers: Any, **options: Any) -> None:
        serializer: Any = SealedPickles()
        super().__init__(servers, serializer=serializer, **options)
        self._client = GuardedRedis


class GuardedCache(django_redis.RedisCache):
    """For CACHES."""

    def __init__(self, server: Any, params: Any) -> None:
        super().__init__(server, params)
        self._class = GuardedClient
