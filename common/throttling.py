"""How often something may be tried, counted in the cache: so many times in a window, by name and key."""

import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
# What comes of a cache that is away.
UNCOUNTED = (RedisError, OSError)


def counted(key: str, *, window_s: int) -> tuple[int, int]:
    """Count this try: which one it is in its window (from 1), and in how many seconds the next window begins.

    Windows are those of the clock: all of one minute begin together. Raises what UNCOUNTED names.
    """
    window, into = divmod(int(time.time()), window_s)
    slot = f"tries:{key}:{window}"
    if cache.add(slot, 1, timeout=window_s):
        return 1, window_s - into
    try:
        return cache.incr(slot), window_s - into
    except ValueError:  # it ended between the two
        return 1, window_s - into


def seconds_to_wait(*, name: str, key: str, limit: int, window_s: int) -> int:
    """Count this attempt; returns 0 when it may go on, else after how many seconds to come again."""
    try:
        used, rest_s = counted(f"{name}:{key}", window_s=window_s)
    except UNCOUNTED as error:
        # Without Redis people still log in: codes are guarded elsewhere.
        log.warning("attempts are not counted: %s", type(error).__name__)
        return 0
    return rest_s if used > limit else 0
