"""What is dear to find out and need not be of this second: remembered for all processes, as long as it may be old."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
T = TypeVar("T")


def remembered(key: str, seconds: int, make: Callable[[], T]) -> T:
    """What `make` gave within the last seconds; asked each time where the cache is away."""
    try:
        found: T | None = cache.get(key)
    except (RedisError, OSError):
        return make()
    if found is None:
        found = make()
        try:
            cache.set(key, found, seconds)
        except (RedisError, OSError) as error:
            log.info("%s is not remembered: %s", key, error)
    return found
