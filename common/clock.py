"""What time it is for all workers alike: the database's, however wrong the clock of this machine is.

Claims, retries and due times are written by one worker and read by the others. So each worker measures how far its
clock is off (`measure`, ledger/chain/clock_watch.py) and `now` makes up for it. What was written by a clock that
nobody had
measured yet is found by `due`: it lies further ahead than anybody whose clock is right would ever have put it.
"""

import time
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone

TOLERANCE = timedelta(seconds=5)  # less is the way to the database, and no trouble
SLACK = timedelta(seconds=30)
_EXPRESSION = {"postgresql": "clock_timestamp()", "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')"}
_off = timedelta()
_measured_at = float("-inf")


def now() -> datetime:
    """The time by the database's clock, as far as this process has measured its own."""
    return timezone.now() - _off


def measure() -> timedelta:
    """How far this machine's clock is ahead of the database's (negative: behind); `now` knows it from here on."""
    global _off, _measured_at
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_EXPRESSION[connection.vendor]}")
        (there,) = cursor.fetchone()
    here = before + (timezone.now() - before) / 2
    if isinstance(there, str):
        there = datetime.fromisoformat(there).replace(tzinfo=UTC)
    off = here - there
    _off = off if abs(off) > TOLERANCE else timedelta()
    _measured_at = time.monotonic()
    return _off


def measured_within(seconds: float) -> bool:
    """Whether this process has asked the database for the time that lately."""
    return time.monotonic() - _measured_at < seconds


def due(field: str, longest: timedelta) -> Q:
    """Its time has come, or was never right: nothing waits longer than `longest`."""
    at = now()
    return Q(**{f"{field}__lte": at}) | Q(**{f"{field}__gt": at + longest + SLACK})


def is_due(moment: datetime, longest: timedelta) -> bool:
    """The same for a moment at hand."""
    at = now()
    return not at < moment <= at + longest + SLACK


def free(longest: timedelta) -> Q:
    """Nobody has it (`claimed_until`), or whoever had it is over their time."""
    return Q(claimed_until__isnull=True) | due("claimed_until", longest)
