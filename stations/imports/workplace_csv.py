"""PURE: one line of a workplace charging file (data/README.md) to exact values, or a named reason why not.

One line is one row: the format has no line breaks in cells, and a quote that is never closed costs one row, not the
rest of the file.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import BinaryIO
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from stations.errors import ImportFileError, ImportRowError

COLUMNS = (
    "sessionId",
    "kwhTotal",
    "dollars",
    "created",
    "ended",
    "chargeTimeHrs",
    "userId",
    "stationId",
    "locationId",
    "facilityType",
)
FACILITY_TYPES = {"1": "manufacturing", "2": "office", "3": "research and development", "4": "other"}
LINE_MAX_BYTES = 16_384
EARLIEST = datetime(2000, 1, 1)
# chargeTimeHrs has nine digits after the point; a second's rounding on either side is enough.
HOURS_TOLERANCE = timedelta(seconds=2)

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,35}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
_LOCAL_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Row:
    """`created` and `ended` are local times of the site, without zone; `hours` is what the file says lay between."""

    line: int
    session_id: str
    user_id: str
    station_id: str
    site_code: str
    facility: str
    created: datetime
    ended: datetime
    hours: Decimal | None
    energy_wh: int
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Period:
    """Start and stop in UTC; `ambiguous`: a change of clocks leaves more than one reading, the first was taken."""

    started_at: datetime
    stopped_at: datetime
    ambiguous: bool


def line_read(file: BinaryIO) -> bytes:
    """The next line with its end, b"" at the end of the file; of a line that is too long only the start is kept."""
    line = file.readline(LINE_MAX_BYTES + 1)
    if len(line) > LINE_MAX_BYTES:
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(LINE_MAX_BYTES)
    return line


def cells(line: bytes) -> list[str]:
    """The cells of one line; raises ImportRowError. What is wrong with a header is said in the reader's language."""
    if len(line) > LINE_MAX_BYTES:
        raise ImportRowError(gettext("at most %(most)d bytes in a line") % {"most": LINE_MAX_BYTES}, gettext("more"))
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        got = gettext("byte 0x%(byte)02x at position %(position)d")
        raise ImportRowError("UTF-8", got % {"byte": line[error.start], "position": error.start}) from error
    if "\0" in text:
        raise ImportRowError(gettext("text"), gettext("a NUL byte"))
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise ImportRowError(gettext("comma-separated cells: %(error)s") % {"error": error}) from error


class Layout:
    """Where the header puts each column; columns that we do not use may be there too, in any order."""

    def __init__(self, line: bytes) -> None:
        if not line.strip():
            raise ImportFileError(gettext("expected a header line, the file is empty or begins with an empty line"))
        try:
            names = cells(line.removeprefix(b"\xef\xbb\xbf"))
        except ImportRowError as error:
            raise ImportFileError(gettext("header: %(error)s") % {"error": error}) from error
        missing = [name for name in COLUMNS if names.count(name) != 1]
        if missing:
            words = gettext("header: expected each of %(columns)s once; not so: %(missing)s")
            raise ImportFileError(words % {"columns": ", ".join(COLUMNS), "missing": ", ".join(missing)})
        self.width = len(names)
        self._positions = [names.index(name) for name in COLUMNS]

    def row(self, number: int, line: bytes, *, latest: datetime) -> Row:
        """Read a line; `latest` is the last moment (naive) that is not the future. Raises ImportRowError."""
        found = cells(line)
        if len(found) != self.width:
            raise ImportRowError(f"{self.width} cells", f"{len(found)}")
        values = dict(zip(COLUMNS, (found[position] for position in self._positions), strict=True))
        return Row(
            line=number,
            session_id=identifier(values, "sessionId"),
            user_id=identifier(values, "userId"),
            station_id=identifier(values, "stationId"),
            site_code=identifier(values, "locationId"),
            facility=FACILITY_TYPES.get(values["facilityType"], "other"),
            created=local_time(values, "created", latest=latest),
            ended=local_time(values, "ended", latest=latest),
            hours=Decimal(values["chargeTimeHrs"]) if _DECIMAL.fullmatch(values["chargeTimeHrs"]) else None,
            energy_wh=scaled(values, "kwhTotal", digits=3),
            cost_minor=scaled(values, "dollars", digits=2),
        )


def shown(value: str) -> str:
    """A foreign value as a message may quote it: short, control characters escaped."""
    return ascii(value if len(value) <= 40 else value[:40] + "…")


def identifier(values: dict[str, str], name: str) -> str:
    if not _IDENTIFIER.fullmatch(values[name]):
        raise ImportRowError("1 to 36 letters, digits, '_', '.' or '-'", shown(values[name]), field=name)
    return values[name]


def scaled(values: dict[str, str], name: str, *, digits: int) -> int:
    """The number in units of 10^-digits, exactly: rounding would alter what was delivered or paid."""
    if not _DECIMAL.fullmatch(values[name]):
        raise ImportRowError("a number from 0 to 999999999", shown(values[name]), field=name)
    number = Decimal(values[name]).scaleb(digits)
    if number != int(number):
        raise ImportRowError(f"at most {digits} digits after the point", shown(values[name]), field=name)
    return int(number)


def local_time(values: dict[str, str], name: str, *, latest: datetime) -> datetime:
    """A local time. The file's years 0014 and 0015 mean 2014 and 2015: those below 100 lack their century."""
    match = _LOCAL_TIME.fullmatch(values[name])
    if not match:
        raise ImportRowError("YYYY-MM-DD HH:MM:SS", shown(values[name]), field=name)
    year, *others = (int(part) for part in match.groups())
    try:
        month, day, hour, minute, second = others
        time = datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second)
    except ValueError as error:
        raise ImportRowError("a date and time", f"{shown(values[name])}: {error}", field=name) from error
    if not EARLIEST <= time <= latest:
        raise ImportRowError(f"a time from {EARLIEST:%Y} until now", shown(values[name]), field=name)
    return time


def instants(local: datetime, zone: ZoneInfo) -> Sequence[datetime]:
    """What a local time can mean in UTC: two instants where clocks were changed (PEP 495), else one."""
    first = local.replace(tzinfo=zone).astimezone(UTC)
    second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return [first] if first == second else [first, second]


def period(row: Row, zone: ZoneInfo) -> Period:
    """Start and stop of a row in the site's zone; chargeTimeHrs decides between readings. Raises ImportRowError."""
    starts, stops = instants(row.created, zone), instants(row.ended, zone)
    pairs = [(start, stop) for start in starts for stop in stops if start <= stop]
    if not pairs:
        raise ImportRowError(f"ended at or after created {row.created}", str(row.ended))
    if len(starts) == len(stops) == 1:
        return Period(*pairs[0], ambiguous=False)
    fitting = [pair for pair in pairs if _fits(pair[1] - pair[0], row.hours)]
    return Period(*(fitting or pairs)[0], ambiguous=len(fitting) != 1)


def _fits(duration: timedelta, hours: Decimal | None) -> bool:
    return hours is not None and abs(duration.total_seconds() - float(hours * 3600)) <= HOURS_TOLERANCE.total_seconds()
