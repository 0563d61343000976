"""How often something may be tried, counted in the cache: so many times in a window, by name and key."""

import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def seconds_to_wait(*, name: str, key: str, limit: int, window_s: int) -> int:
    """Count this attempt; returns 0 when it may go on, else after how many seconds to come again."""
    now = int(time.time())
    window, into = divmod(now, window_s)
    slot = f"attempts:{name}:{key}:{window}"
    try:
        cache.add(slot, 0, timeout=window_s)
        if cache.incr(slot) <= limit:
            return 0
    except (RedisError, OSError, ValueError) as error:
        # ValueError: the window ended between the two. Without Redis people still log in: codes are guarded elsewhere.
        log.warning("attempts are not counted: %s", type(error).__name__)
        return 0
    return window_s - into
