"""PURE: what every format makes of a row, and which instants its local times can mean."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from stations.errors import ImportRowError
from stations.imports.reading.lasted import Lasted
from stations.metering.received import SignedText


class Place(NamedTuple):
    """Where a row says it was: `code` as the import calls the site, the rest for a site that is not there yet."""

    code: str
    name: str
    currency: str = ""
    time_zone: str = ""  # "": the file does not say it
    country: str = ""


class Token(NamedTuple):
    """What the driver showed."""

    uid: str
    type: str = "Central"
    contract_id: str = ""


class Row(NamedTuple):
    """A session as a file has it. Times are local to the site where they have no zone; None: the file does not say.

    `session` is the UUID where the file carries it, else it follows from source and number.
    """

    line: int
    number: str
    station: str
    place: Place
    started: datetime
    stopped: datetime
    energy_wh: int | None
    token: Token | None = None
    cost_minor: int | None = None
    currency: str = ""
    meter_start_wh: int | None = None
    meter_stop_wh: int | None = None
    evse: int = 1
    connector: int = 1
    lasted: Lasted | None = None
    session: str = ""
    flags: tuple[str, ...] = ()
    stop_reason: str = ""
    signed: tuple[SignedText, ...] = ()


class Record(NamedTuple):
    """One record of a file: its cells or its object, or why it cannot be read. `line` is where it begins."""

    line: int
    values: Any
    error: ImportRowError | None = None


class Reading(NamedTuple):
    """How this file is to be read: the form of its dates, the mark before decimals, the last moment not to come."""

    form: str
    mark: str
    latest: datetime


class Surveyed(NamedTuple):
    """Positions of columns: dates in the order of rows, other dates, numbers."""

    ordered: int | None = None
    dates: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()


Reader = Callable[[int, Any], Row]


class Period(NamedTuple):
    """Start and stop in UTC; `ambiguous`: a change of clocks leaves more than one reading, the first was taken."""

    started_at: datetime
    stopped_at: datetime
    ambiguous: bool


def instants(local: datetime, zone: ZoneInfo) -> Sequence[datetime]:
    """What a local time can mean in UTC: two instants where clocks were changed (PEP 495), else one."""
    first, second = local.replace(tzinfo=zone), local.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return [first.astimezone(UTC)]
    return [first.astimezone(UTC), second.astimezone(UTC)]


def period(row: Row, zone: ZoneInfo | None) -> Period:
    """Start and stop of a row, local ones in the site's zone; a stated duration decides between readings.

    Raises ImportRowError where it stopped before it started.
    """
    if row.started.tzinfo is not None:
        starts, stops = [row.started], [row.stopped]
    else:
        assert zone is not None
        starts, stops = [*instants(row.started, zone)], [*instants(row.stopped, zone)]
    if len(starts) == len(stops) == 1 and starts[0] <= stops[0]:
        return Period(starts[0], stops[0], False)
    pairs = [(start, stop) for start in starts for stop in stops if start <= stop]
    if not pairs:
        raise ImportRowError(f"ended at or after created {row.started}", str(row.stopped))
    lasted = row.lasted
    fitting = [pair for pair in pairs if lasted and lasted.whole and lasted.fits(pair[1] - pair[0])]
    return Period(*(fitting or pairs)[0], ambiguous=len(fitting) != 1)


def duration_check(row: Row, found: Period) -> None:
    """Dates that do not agree with the duration beside them are wrong; raises ImportRowError."""
    between = found.stopped_at - found.started_at
    if row.lasted and not row.lasted.fits(between):
        least = "" if row.lasted.whole else "at least "
        stated = timedelta(seconds=round(row.lasted.seconds))
        raise ImportRowError(
            f"{least}{stated} between start and stop, as the row says", f"{between}", field=row.lasted.column
        )
