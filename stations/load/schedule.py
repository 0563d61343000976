"""PURE: the site's limit over time: a default, and periods by weekday and the site's own clock.

A period is where the site's clock shows a time from `start` up to, not including, `end`: so in the night in which
clocks go back, an hour that comes twice is in it twice, and in the other night an hour that there is not is in nothing.
Periods are in whole minutes, and so are the offsets of all zones of today: the limit changes at whole minutes alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC as utc
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES


@dataclass(frozen=True)
class Period:
    """`days`: ISO weekdays (1 is Monday) on which it begins. An end that is not after the start is on the next day."""

    days: frozenset[int]
    start: time
    end: time
    amperes: int

    @property
    def minutes(self) -> int:
        """How long it is by the clock; the same start and end are a whole day."""
        return (_minute(self.end) - _minute(self.start)) % DAY_MINUTES or DAY_MINUTES

    def holds(self, weekday: int, at: time) -> bool:
        """Whether the clock's weekday and time are within it."""
        now = (weekday - 1) * DAY_MINUTES + _minute(at)
        begins = ((day - 1) * DAY_MINUTES + _minute(self.start) for day in self.days)
        return any((now - begin) % WEEK_MINUTES < self.minutes for begin in begins)


@dataclass(frozen=True)
class Schedule:
    """`amperes` where no period holds. Of periods that overlap (the form refuses it) the lowest holds."""

    amperes: int
    zone: ZoneInfo
    periods: tuple[Period, ...] = ()

    @property
    def lowest(self) -> int:
        """What is never undercut, whatever the time: for what stations do when nobody tells them the time's limit."""
        return min([self.amperes, *(period.amperes for period in self.periods)])

    def at(self, moment: datetime) -> int:
        """The limit then, in amperes per phase."""
        local = moment.astimezone(self.zone)
        held = [period.amperes for period in self.periods if period.holds(local.isoweekday(), local.time())]
        return min(held, default=self.amperes)

    def steps(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
        """(from when, amperes) from `start` on, one for each change before `end`. In UTC."""
        moment = start.astimezone(utc)
        last: int | None = None
        while moment < end:
            amperes = self.at(moment)
            if amperes != last:
                yield moment, amperes
                last = amperes
            moment = moment.replace(second=0, microsecond=0) + MINUTE

    def least(self, start: datetime, end: datetime) -> int:
        """The lowest limit from `start` up to `end`."""
        return min(amperes for _, amperes in self.steps(start, max(end, start + MINUTE)))

    def day(self, day: date) -> tuple[datetime, datetime]:
        """When the day of the site's calendar begins and ends, UTC: 23 to 25 hours."""
        first, last = (datetime.combine(one, time(), self.zone) for one in (day, day + timedelta(days=1)))
        return first.astimezone(utc), last.astimezone(utc)


def overlapping(periods: Sequence[Period]) -> tuple[int, int] | None:
    """The places of two periods that hold at the same time by the clock, or None."""
    taken: dict[int, int] = {}
    for place, period in enumerate(periods):
        for day in sorted(period.days):
            begin = (day - 1) * DAY_MINUTES + _minute(period.start)
            for minute in range(begin, begin + period.minutes):
                other = taken.setdefault(minute % WEEK_MINUTES, place)
                if other != place:
                    return other, place
    return None


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute
