"""PURE: which of day and month comes first in a file, told by all of its rows; and whether that changes on the way.

A spreadsheet of another language turns what it can read as a date (day and month swapped, up to the 12th) and leaves
the rest as it was. Such a file reads well row by row and is wrong, so it is refused as a whole, with the two rows that
show it.
"""

import re
from datetime import date
from typing import NamedTuple

from django.utils.translation import gettext

from stations.errors import ImportFileError

FORMS = ("YMD", "DMY", "MDY")
_DATE = re.compile(r"(?:(\d{4})-(\d{2})-(\d{2})|(\d{1,2})([/.-])(\d{1,2})\5(\d{4}|\d{2}))(?![\d/.-])", re.ASCII)


class Seen(NamedTuple):
    line: int
    text: str


class Order:
    """Whether dates came in one order, and over how many days."""

    def __init__(self) -> None:
        self.rises = self.falls = True
        self.last = self.least = self.most = 0

    def add(self, day: int) -> None:
        """The next date, as a day's number."""
        if not self.last:
            self.last = self.least = self.most = day
        self.rises &= day >= self.last
        self.falls &= day <= self.last
        self.last, self.least, self.most = day, min(self.least, day), max(self.most, day)

    @property
    def holds(self) -> bool:
        """Up all the way, or down."""
        return self.rises or self.falls


class Dates:
    """Takes every date of a file; `form()` says how they are to be read.

    `documented`: how this format is known to write dates that do not begin with the year; `mixed`: it is known to
    write both kinds.
    """

    def __init__(self, documented: str = "", *, mixed: bool = False) -> None:
        self.documented, self.mixed = documented, mixed
        self._first: dict[str, Seen] = {}
        self._before: tuple[Seen, bool] | None = None
        self._turn: tuple[Seen, Seen] | None = None  # where first one can be read in two ways and the other in one
        self._text = ""
        self._either = 0
        self._orders = {"DMY": Order(), "MDY": Order()}

    def add(self, line: int, text: str, *, ordered: bool = True) -> None:
        """One cell; what is no date at all is the row's own trouble. `ordered`: counts for the order of rows."""
        day = text[:10]
        if day == self._text:
            return
        found = _DATE.match(text)
        if not found:
            return
        self._text = day
        if found[1] is not None:
            first, second, year, kind = int(found[3]), int(found[2]), int(found[1]), "iso"
        else:
            first, second, year = int(found[4]), int(found[6]), int(found[7])
            kind = "dots" if found[5] == "." else "other"
        seen = Seen(line, text)
        self._first.setdefault(kind, seen)
        either = first <= 12 and second <= 12 and first != second
        if kind != "iso":
            name = "either" if either else "DMY" if first > 12 else "MDY" if second > 12 else "same"
            self._first.setdefault(name, seen)
        if ordered:
            self._order(seen, first, second, year % 100 + 2000, either=either)

    def _order(self, seen: Seen, first: int, second: int, year: int, *, either: bool) -> None:
        readings = {"DMY": _number(year, second, first), "MDY": _number(year, first, second)}
        for form, order in self._orders.items():
            other = "MDY" if form == "DMY" else "DMY"
            if day := readings[form] or readings[other]:
                order.add(day)
        if first == second:
            return
        self._either += either
        if self._before and self._before[1] != either and self._turn is None:
            self._turn = (self._before[0], seen)
        self._before = (seen, either)

    def form(self) -> str:
        """YMD, DMY or MDY. Raises ImportFileError where the rows contradict each other, or leave it open."""
        first = self._first
        if "iso" in first and ("other" in first or "dots" in first) and not self.mixed:
            _refuse(first["iso"], first.get("other") or first["dots"])
        form = self._slashed() if "other" in first or "dots" in first else "YMD"
        self._swapped("DMY" if form == "YMD" else form)  # (year, month, day): _order() has the day first
        return form

    def _slashed(self) -> str:
        first = self._first
        if "DMY" in first and "MDY" in first:
            _refuse(first["DMY"], first["MDY"])
        documented = self.documented or ("DMY" if "dots" in first else "")
        only = "DMY" if "DMY" in first else "MDY" if "MDY" in first else ""
        if documented and only and only != documented and "either" in first:
            _refuse(first["either"], first[only])
        if not only and not documented and "either" in first:
            seen = first["either"]
            words = gettext(
                "dates such as %(date)s in line %(line)s can be day or month first, and no row decides it: say it"
                " yourself, as “day first” or “month first” (--dates DMY or --dates MDY)"
            )
            raise ImportFileError(words % {"date": seen.text, "line": seen.line})
        return only or documented or "DMY"

    def _swapped(self, form: str) -> None:
        """Out of order as they stand, in order and close together if those up to the 12th are read the other way."""
        uniform, swapped = self._orders[form], self._orders["MDY" if form == "DMY" else "DMY"]
        if self.mixed or self._turn is None or self._either < 2 or uniform.holds or not swapped.holds:
            return
        if (swapped.most - swapped.least) * 2 < uniform.most - uniform.least:
            _refuse(*self._turn)


def _number(year: int, month: int, day: int) -> int:
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return 0


def _refuse(one: Seen, other: Seen) -> None:
    one, other = sorted((one, other))
    words = gettext(
        "the dates change their form: line %(line)s has %(date)s, line %(other_line)s has %(other_date)s. A spreadsheet"
        " of another language swaps day and month up to the 12th and leaves the others as they are. Export the file"
        " again and do not open it in between; or, if all dates have one form, say which"
        " (--dates YMD, --dates DMY or --dates MDY)"
    )
    raise ImportFileError(
        words % {"line": one.line, "date": one.text, "other_line": other.line, "other_date": other.text}
    )
