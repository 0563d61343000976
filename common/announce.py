"""Telling a worker that there is something to do. It only hurries things: a sweep finds whatever nobody was told of.

By the task's name, so that services need not import the tasks that call them
(tests/common/test_announce.py checks the names).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from celery import current_app
from django.core.cache import cache
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from common.redis_guard import guard

log = logging.getLogger(__name__)
# What comes of a broker or cache that is away.
UNREACHABLE = (OperationalError, RedisError, OSError)


@contextmanager
def hurrying(what: str) -> Iterator[None]:
    """What is done with the broker or the cache within this may fail: then nobody is hurried, and nothing is lost."""
    try:
        yield
    except UNREACHABLE as error:
        log.info("%s is left to the sweep: %s", what, error)


def announce(
    task: str, *args: object, countdown: float | None = None, expires: float | None = None, once_in_s: int = 0
) -> None:
    """Have a worker run the task named so; with `once_in_s`, not again while that many seconds are not over.

    `countdown` and `expires` are seconds from now, as Celery has them.
    """
    with hurrying(f"{task} {args or ''}".strip()):
        if once_in_s and not cache.add(f"announced:{task}", 1, timeout=once_in_s):
            return
        with guard.asking():
            current_app.send_task(task, args, countdown=countdown, expires=expires)


def announced_forget(task: str) -> None:
    """It begins: who has more to do after this may announce it again. Raises RedisError."""
    cache.delete(f"announced:{task}")
