"""PURE: one cell of a foreign file to an exact value, or a named reason why not."""

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal, DecimalException

from stations.errors import ImportRowError
from stations.imports.reading.lasted import Lasted

EARLIEST = datetime(2000, 1, 1)
DIGITS_MAX = 12
NUMBER_MAX = 36  # of a session: ChargingSession.transaction_id

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,35}")
_UNCLEAN = re.compile(r"[^A-Za-z0-9_.*-]+")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
_GROUPED = {
    ".": re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?"),
    ",": re.compile(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?"),
}
# Year first, or day and month first in an order that only a look at all rows tells (dates.py); then the time.
_LOCAL = re.compile(
    r"(?:(\d{4})-(\d{2})-(\d{2})|(\d{1,2})([/.-])(\d{1,2})\5(\d{4}|\d{2})),? +"
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?: ?([AaPp])\.?[Mm]\.?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"(\d{1,4}):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?", re.ASCII)
_GO = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,2})m)?(?:(\d{1,2})(?:\.\d+)?s)?", re.ASCII)
# What US and British exports write; each is one offset, so no hour is ambiguous.
ZONES = {
    "UTC": (0, "UTC"),
    "GMT": (0, "Europe/London"),
    "BST": (1, "Europe/London"),
    "EDT": (-4, "America/New_York"),
    "EST": (-5, "America/New_York"),
    "CDT": (-5, "America/Chicago"),
    "CST": (-6, "America/Chicago"),
    "MDT": (-6, "America/Denver"),
    "MST": (-7, "America/Denver"),
    "PDT": (-7, "America/Los_Angeles"),
    "PST": (-8, "America/Los_Angeles"),
    "AKDT": (-8, "America/Anchorage"),
    "AKST": (-9, "America/Anchorage"),
    "HST": (-10, "Pacific/Honolulu"),
}
NOTHING = frozenset({"", "NA", "N/A", "-", "NULL", "null", "None", "NaN"})


def shown(value: str) -> str:
    """A foreign value as a message may quote it: short, control characters escaped."""
    return ascii(value if len(value) <= 40 else value[:40] + "…")


def identifier(value: str, column: str) -> str:
    """An identifier that is taken as it is."""
    if not _IDENTIFIER.fullmatch(value):
        raise ImportRowError("1 to 36 letters, digits, '_', '.' or '-'", shown(value), field=column)
    return value


def name(value: str, column: str, most: int = 255) -> str:
    """A name of people's choosing."""
    text = " ".join(value.split())
    if not text or len(text) > most or not text.isprintable():
        raise ImportRowError(f"1 to {most} characters", shown(value), field=column)
    return text


def code(value: str, most: int) -> str:
    """A name as an identifier of ours: itself where it is one, else cleaned and with eight digits of its hash."""
    if len(value) <= most and not _UNCLEAN.search(value):
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:8]
    return f"{_UNCLEAN.sub('-', value)[: most - 9].strip('-')}-{digest}".lstrip("-")


def derived(*parts: object) -> str:
    """A number for a session of a file that has none: the same content, the same number."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]


def number(value: str, column: str, mark: str = ".") -> Decimal:
    """A number that is not negative; `mark` is what stands before the decimals in this file."""
    text = value
    if "," in text or mark == ",":
        if _GROUPED[mark].fullmatch(text):
            text = text.replace("," if mark == "." else ".", "")
        if mark == "," and "." not in text:
            text = text.replace(",", ".", 1)
    if not _DECIMAL.fullmatch(text):
        raise ImportRowError("a number from 0 to 999999999", shown(value), field=column)
    return Decimal(text)


def scaled(value: str, column: str, *, digits: int, mark: str = ".", exact: bool = True) -> int:
    """The number in units of 10^-digits: exactly, for rounding would alter what was delivered or paid.

    `exact=False` is for meters that count finer than that.
    """
    units = number(value, column, mark).scaleb(digits)
    whole = units.to_integral_value(ROUND_HALF_EVEN)
    if exact and units != whole:
        raise ImportRowError(f"at most {digits} digits after the point", shown(value), field=column)
    return int(whole)


def decimal_of(value: object, column: str) -> Decimal:
    """A number out of JSON, where it may be a string as well."""
    try:
        return number(f"{Decimal(str(value)):f}" if not isinstance(value, bool) else "", column)
    except DecimalException as error:
        raise ImportRowError("a number from 0 to 999999999", shown(str(value)), field=column) from error


def local_time(value: str, column: str, *, latest: datetime, form: str = "YMD") -> datetime:
    """A local time without zone. `form` says which of day and month comes first where the year does not.

    Years below 100 lack their century (the workplace data have 0014 for 2014).
    """
    found = _LOCAL.fullmatch(value)
    if not found or (found[1] is None and form == "YMD"):
        raise ImportRowError(EXPECTED[form], shown(value), field=column)
    if found[1] is not None:
        year, month, day = int(found[1]), int(found[2]), int(found[3])
    else:
        year, first, second = int(found[7]), int(found[4]), int(found[6])
        day, month = (first, second) if form == "DMY" else (second, first)
    hour = int(found[8])
    if found[11]:
        if not 1 <= hour <= 12:
            raise ImportRowError(EXPECTED[form], shown(value), field=column)
        hour = hour % 12 + (12 if found[11] in "Pp" else 0)
    try:
        time = datetime(year + 2000 if year < 100 else year, month, day, hour, int(found[9]), int(found[10] or 0))
    except ValueError as error:
        raise ImportRowError("a date and time", f"{shown(value)}: {error}", field=column) from error
    return _possible(time, value, column, latest)


EXPECTED = {"YMD": "YYYY-MM-DD HH:MM:SS", "DMY": "DD/MM/YYYY HH:MM", "MDY": "MM/DD/YYYY HH:MM"}


def _possible(time: datetime, value: str, column: str, latest: datetime) -> datetime:
    if not EARLIEST <= time <= latest:
        raise ImportRowError(f"a time from {EARLIEST:%Y} until now", shown(value), field=column)
    return time


def instant(value: object, column: str, *, latest: datetime) -> datetime:
    """A moment of ISO 8601 that names its offset, in UTC."""
    try:
        time = datetime.fromisoformat(str(value).strip())
    except ValueError as error:
        raise ImportRowError("YYYY-MM-DDTHH:MM:SSZ", shown(str(value)), field=column) from error
    if time.tzinfo is None:
        raise ImportRowError("a time with its offset or Z", shown(str(value)), field=column)
    try:
        time = time.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise ImportRowError("a date and time", shown(str(value)), field=column) from error
    _possible(time.replace(tzinfo=None), str(value), column, latest)
    return time


def zoned(local: datetime, zone: str, column: str) -> datetime:
    """A local time whose row names the zone by its abbreviation, in UTC."""
    known = ZONES.get(zone.strip().upper())
    if known is None:
        raise ImportRowError(f"a time zone of {', '.join(ZONES)}", shown(zone), field=column)
    return local.replace(tzinfo=timezone(timedelta(hours=known[0]))).astimezone(UTC)


def place_zone(zone: str) -> str:
    """The time zone of a place whose clocks are called so."""
    return ZONES.get(zone.strip().upper(), (0, "UTC"))[1]


def clock(value: str, column: str, *, whole: bool) -> Lasted | None:
    """A duration as hh:mm:ss, hh:mm or 2h0m0s; None where the file leaves it open."""
    text = value.strip()
    if text in NOTHING:
        return None
    if found := _CLOCK.fullmatch(text):
        seconds = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)
    elif (found := _GO.fullmatch(text)) and any(found.groups()):
        seconds = int(found[1] or 0) * 3600 + int(found[2] or 0) * 60 + int(found[3] or 0)
    else:
        raise ImportRowError("a duration such as 01:30:00", shown(value), field=column)
    return Lasted(seconds, 61, whole, column)  # start and stop are often cut to the minute


def hours(value: str, column: str, mark: str = ".") -> Lasted | None:
    """A duration in hours, as exact as it was written; None where the file leaves it open."""
    text = value.replace(",", ".") if mark == "," else value
    if not _DECIMAL.fullmatch(text):
        return None
    rounding = 1800 / 10 ** min(len(text.partition(".")[2]), DIGITS_MAX)
    return Lasted(float(text) * 3600, min(rounding, 200.0) + 2, True, column)
