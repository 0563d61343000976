"""PURE: spans of whole days, and which of them are a day, a month or a year."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from portal.history.totals import Group

Unit = Literal["day", "month", "year"]
# The first and last day that a filter names, None without that end.
Days = tuple[date | None, date | None]

UNITS: tuple[Unit, ...] = ("day", "month", "year")


@dataclass(frozen=True)
class Span:
    """Whole days from `first` to `last`, both included."""

    first: date
    last: date

    @classmethod
    def around(cls, day: date, unit: Unit) -> "Span":
        """The day, month or year in which a day lies."""
        if unit == "day":
            return cls(day, day)
        if unit == "year":
            return cls(date(day.year, 1, 1), date(day.year, 12, 31))
        following = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
        return cls(day.replace(day=1), following - timedelta(days=1))

    @property
    def unit(self) -> Unit | None:
        """ "day", "month" or "year" where the span is exactly one."""
        return next((unit for unit in UNITS if Span.around(self.first, unit) == self), None)

    @property
    def before(self) -> "Span | None":
        """The day, month or year before it; None for other spans, which have no natural one."""
        return Span.around(self.first - timedelta(days=1), self.unit) if self.unit else None

    @property
    def after(self) -> "Span | None":
        """The one that follows it; None for other spans."""
        return Span.around(self.last + timedelta(days=1), self.unit) if self.unit else None

    def of(self, groups: Sequence[Group]) -> list[Group]:
        """Those of these groups by day that lie in it."""
        return [group for group in groups if self.first <= group["day"] <= self.last]

    def parts(self, unit: Unit) -> list["Span"]:
        """The days, months or years in it, those at its ends cut to it."""
        found, first = [], self.first
        while first <= self.last:
            last = min(Span.around(first, unit).last, self.last)
            found.append(Span(first, last))
            first = last + timedelta(days=1)
        return found
