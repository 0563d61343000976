"""PURE: the times that stations write, and what is made of them where their clocks are wrong.

OCPP wants RFC 3339 with an offset. Stations also write local times without one, count from 1970 until somebody tells
them the time, or are off by hours, as where local time is written with a Z. A time that cannot be true is replaced by
that at which the message came; all times of one charge are then moved by as much (ChargingSession.started_said), so
that the same message, told again later, means the same moment.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from stations.charging import plausibility

# A clock may be ahead by what nobody notices; a station sets it at each boot and heartbeat.
AHEAD_MAX = timedelta(minutes=5)
# It may have been offline for long; more than that is a clock that was never set.
BEHIND_MAX = timedelta(days=366)
# While it is connected it says at once what happens. What it dates further back than this, to a time at which it was
# connected already, did not wait in its queue: its clock is behind.
BEHIND_CONNECTED_MAX = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)
_LEAP = re.compile(r"([T ]\d\d:\d\d):60", re.ASCII)


@dataclass(frozen=True)
class Said:
    """A time as a station wrote it, in UTC. `also`: the other moment that it may mean, in an hour that repeats.

    `zone_assumed`: it had no offset, and was read in the station's zone. `unknown`: it was no time; `at` is when the
    message came.
    """

    at: datetime
    zone_assumed: bool = False
    also: datetime | None = None
    unknown: bool = False

    @property
    def readings(self) -> list[datetime]:
        """All that it may mean."""
        return [self.at, self.also] if self.also else [self.at]


@dataclass(frozen=True)
class Moment:
    """When something happened. `wrong`: the station's clock could not say, `at` is when we heard of it."""

    at: datetime
    wrong: bool = False
    zone_assumed: bool = False


def said_read(text: object, zone: ZoneInfo, received_at: datetime) -> Said:
    """What the station wrote. What is no time, or that of a clock that does not even run, is when it was received.

    Of an hour that repeats the half is meant that lies nearest before the message came.
    """
    try:
        if not _FORM.match(words := str(text).strip().upper()):  # Python reads dates without a time, too
            return Said(received_at, unknown=True)
        written = datetime.fromisoformat(_LEAP.sub(r"\1:59", words))
        if not 1970 <= written.year <= 2200 or written.replace(tzinfo=UTC) == EPOCH:
            return Said(received_at, unknown=True)
        if written.tzinfo is not None:
            return Said(written.astimezone(UTC))
        first, second = (written.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError):
        return Said(received_at, unknown=True)
    # Of a time that does not exist, when clocks go forward, Python's first reading is that of the old offset.
    if second <= first:
        return Said(first, zone_assumed=True)
    if second <= received_at + AHEAD_MAX:
        return Said(second, zone_assumed=True, also=first)
    return Said(first, zone_assumed=True, also=second)


def is_plausible(at: datetime, received_at: datetime, connected_at: datetime | None = None) -> bool:
    """Whether a message that came then can tell of that moment; `connected_at`: since when the station is there."""
    if not received_at - BEHIND_MAX <= at <= received_at + AHEAD_MAX:
        return False
    was_there = connected_at is not None and connected_at + AHEAD_MAX < at
    return not (was_there and at < received_at - BEHIND_CONNECTED_MAX)


def moment_of(said: Said, received_at: datetime, connected_at: datetime | None = None) -> Moment:
    """When it happened, as far as anybody can know."""
    if not said.unknown and is_plausible(said.at, received_at, connected_at):
        return Moment(said.at, zone_assumed=said.zone_assumed)
    return Moment(received_at, wrong=True, zone_assumed=said.zone_assumed)


def offset_of(said: datetime, received_at: datetime) -> timedelta:
    """What is to be added to that clock's times, in whole seconds: so it can be taken off again exactly."""
    return timedelta(seconds=(received_at - said) // timedelta(seconds=1))


def offset_in_charge(
    said: datetime,
    *,
    received_at: datetime,
    started_at: datetime,
    known: timedelta | None,
    connected_at: datetime | None,
) -> timedelta | None:
    """What is to be added to a time of a charge that began then; None: nothing that is known makes it true.

    `known`: what was added to its start. A clock that was set right meanwhile says the time at which we hear it.
    """
    earliest = started_at - AHEAD_MAX
    if said >= earliest and abs(received_at - said) <= AHEAD_MAX:
        return timedelta(0)
    if known is not None and earliest <= said + known <= received_at + AHEAD_MAX:
        return known
    is_true = said >= earliest and is_plausible(said, received_at, connected_at)
    return timedelta(0) if is_true else None


def start_flags(said: Said, *, right: bool, reused: bool, accepted: bool) -> list[str]:
    """What is remarkable about a start, of its clock, number and card."""
    flags = {
        plausibility.CLOCK_WRONG: not right,
        plausibility.ZONE_ASSUMED: said.zone_assumed,
        plausibility.AMBIGUOUS_TIME: said.also is not None,
        plausibility.NUMBER_REUSED: reused,
        plausibility.NOT_AUTHORIZED: not accepted,
    }
    return [flag for flag, holds in flags.items() if holds]
