"""PURE: when the restrictions of a tariff by clock, calendar and duration begin and end, on the local clock of a site.

An element holds while the wall clock there shows a time in it. So a night of 22:00 to 06:00 has 7, 8 or 9 hours, an
hour that comes twice counts twice, and one that is left out not at all.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from stations.tariffs.shape import DAY_SECONDS, Element, Restrictions

HOUR = 3600


@dataclass(frozen=True)
class Windows:
    """`starts[n]`: the second from which on the elements at the places `holding[n]` hold, as far as time decides."""

    starts: Sequence[int]
    holding: Sequence[tuple[int, ...]]

    def at(self, second: int) -> int:
        """The number of the window in which the second lies."""
        return bisect_right(self.starts, second) - 1


def windows(elements: Sequence[Element], zone: ZoneInfo, start: int, end: int) -> Windows:
    """From `start` to `end`; elements for reservations are treated like others."""
    cuts = {start, *_durations(elements, start), *_clock_changes(elements, zone, start, end)}
    starts = sorted(cut for cut in cuts if start <= cut < max(end, start + 1))
    return Windows(starts, [_holding(elements, zone, start, at) for at in starts])


def _holding(elements: Sequence[Element], zone: ZoneInfo, start: int, at: int) -> tuple[int, ...]:
    local = datetime.fromtimestamp(at, zone)
    return tuple(place for place, one in enumerate(elements) if holds(one.restrictions, local, at - start))


def holds(limits: Restrictions, local: datetime, lasted_s: int) -> bool:
    """Whether they hold at that local time, after the charge has lasted so long; nothing else is looked at."""
    if limits.days and local.weekday() not in limits.days:
        return False
    day = local.date()
    if (limits.start_date and day < limits.start_date) or (limits.end_date and day >= limits.end_date):
        return False
    if limits.min_duration_s is not None and lasted_s < limits.min_duration_s:
        return False
    if limits.max_duration_s is not None and lasted_s >= limits.max_duration_s:
        return False
    return _in_hours(limits, local.hour * HOUR + local.minute * 60 + local.second)


def _in_hours(limits: Restrictions, clock: int) -> bool:
    """An end at or before the start is on the next day; 00:00 as an end is the end of the day."""
    since, until = limits.start_second or 0, limits.end_second or DAY_SECONDS
    return since <= clock < until if since < until else clock >= since or clock < until


def _durations(elements: Iterable[Element], start: int) -> set[int]:
    given = (one.restrictions for one in elements)
    return {start + lasts for one in given for lasts in (one.min_duration_s, one.max_duration_s) if lasts is not None}


def _clock_changes(elements: Iterable[Element], zone: ZoneInfo, start: int, end: int) -> set[int]:
    """Whenever the wall clock there passes a time that a restriction names, or is set."""
    limits = [one.restrictions for one in elements]
    clocks = {clock for one in limits for clock in (one.start_second, one.end_second) if clock is not None}
    dated = any(one.days or one.start_date or one.end_date for one in limits)
    if not clocks and not dated:
        return set()
    times = [time(clock // HOUR, clock % HOUR // 60) for clock in sorted({0, *clocks})]
    day, last = datetime.fromtimestamp(start, zone).date(), datetime.fromtimestamp(end, zone).date()
    found = _set_forward_or_back(zone, start, end)
    while day <= last:
        for clock in times:
            for fold in (0, 1):
                found.add(int(datetime.combine(day, clock.replace(fold=fold), zone).timestamp()))
        day += timedelta(days=1)
    return found


def _set_forward_or_back(zone: ZoneInfo, start: int, end: int) -> set[int]:
    """The seconds at which the offset from UTC changes."""
    found, since = set[int](), start
    while since < end:
        until = min(since + 6 * HOUR, end)
        if _offset(zone, since) != (after := _offset(zone, until)):
            low, high = since, until
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset(zone, middle) == after else (middle, high)
            found.add(high)
        since = until
    return found


def _offset(zone: ZoneInfo, second: int) -> timedelta | None:
    return datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
