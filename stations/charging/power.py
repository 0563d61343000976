"""PURE: power over time of a charge, and how far one has come that still goes on, from what the station reported.

Power is in W, energy in Wh, both integers. OCPP's measurands: Power.Active.Import is taken as it was reported; where
a station reports only its energy register, the mean power between two readings is worked out from them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from common.chart import WIDTH, Line, line_of
from stations.charging.plausibility import ROUNDING_WH

if TYPE_CHECKING:
    from stations.models import ChargingSession, MeterValue

POWER = "Power.Active.Import"
REGISTER = "Energy.Active.Import.Register"
POINTS_MAX = 240

_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Point:
    """Power at a moment, or the mean of a time that ends at `until`."""

    at: datetime
    power_w: int
    until: datetime | None = None


@dataclass(frozen=True)
class Curve:
    """`derived`: worked out from the energy register. `merged`: how many samples make a point."""

    points: list[Point]
    derived: bool
    merged: int
    line: Line
    times: list[datetime]  # at five equal steps below the line

    @property
    def placed(self) -> list[tuple[Point, int]]:
        """Each point with where it stands below the line: 0 to WIDTH."""
        start, end = self.times[0], self.times[-1]
        return [(point, (point.at - start) * WIDTH // (end - start)) for point in self.points]

    @property
    def peak_w(self) -> int:
        """The greatest power of all points."""
        return max(point.power_w for point in self.points)


@dataclass(frozen=True)
class Progress:
    """A charge that goes on: energy since its start, power now; None where the station does not say."""

    energy_wh: int | None
    power_w: int | None


def curve_of(session: "ChargingSession", values: "Iterable[MeterValue]") -> Curve | None:
    """The power curve; None where nothing was reported between start and stop that would make one."""
    inside = [value for value in values if _is_inside(session, value.sampled_at)]
    points, merged, derived = *_reported(inside), False
    if len(points) < 2:
        points, merged, derived = *_derived(session, inside), True
    if len(points) < 2:
        return None
    start, end = points[0].at, points[-1].until or points[-1].at
    times = [start + (end - start) * quarter / 4 for quarter in range(5)]
    return Curve(points, derived, merged, _line(points, start, end), times)


def _is_inside(session: "ChargingSession", moment: datetime) -> bool:
    return session.started_at <= moment and (session.stopped_at is None or moment <= session.stopped_at)


def _reported(values: "Iterable[MeterValue]") -> tuple[list[Point], int]:
    samples = [(value, power) for value in values if (power := power_w(value)) is not None]
    samples.sort(key=lambda sample: sample[0].sampled_at)
    points = [
        Point(at, _total([(value.phase, power) for value, power in found]))
        for at, found in groupby(samples, key=lambda sample: sample[0].sampled_at)
    ]
    size = _size(len(points))
    chunks = [points[first : first + size] for first in range(0, len(points), size)]
    return [Point(chunk[0].at, sum(point.power_w for point in chunk) // len(chunk)) for chunk in chunks], size


def _total(phases: Sequence[tuple[str, int]]) -> int:
    """The station's own total where it gives one, else the sum of the phases."""
    totals = [power for phase, power in phases if not phase]
    return totals[-1] if totals else sum(power for phase, power in phases if phase.startswith("L"))


def _derived(session: "ChargingSession", values: "Iterable[MeterValue]") -> tuple[list[Point], int]:
    """Mean power between readings of the register; nothing where it goes backwards, as then it says nothing.

    A watt-hour less is rounding, and no power.
    """
    readings = {value.sampled_at: wh for value in values if (wh := register_wh(value)) is not None}
    if not readings:
        return [], 1
    if session.told_start_wh is not None:
        readings.setdefault(session.started_at, session.told_start_wh)
    if session.told_stop_wh is not None and session.stopped_at:
        readings.setdefault(session.stopped_at, session.told_stop_wh)
    ordered = sorted(readings.items())
    size = _size(len(ordered))
    kept = ordered[::size] + ([ordered[-1]] if (len(ordered) - 1) % size else [])
    if any(later < earlier - ROUNDING_WH for (_, earlier), (_, later) in pairwise(ordered)):
        return [], 1
    return [
        Point(at, max(later - earlier, 0) * _MICROSECONDS_AN_HOUR // ((until - at) // _MICROSECOND), until)
        for (at, earlier), (until, later) in pairwise(kept)
    ], size


def _size(count: int) -> int:
    return max(1, -(-count // POINTS_MAX))


def _line(points: Sequence[Point], start: datetime, end: datetime) -> Line:
    """Through the points; means stand as steps."""
    places = []
    for point in points:
        places.append((point.at, point.power_w))
        if point.until:
            places.append((point.until, point.power_w))
    return line_of([((at - start) * WIDTH // (end - start), power) for at, power in places])


def mean_w(session: "ChargingSession") -> int | None:
    """Energy over duration; None where one of them is not known or nothing, and for a credit, which is no charge."""
    if (
        session.credit
        or not session.energy_wh
        or session.stopped_at is None
        or session.stopped_at <= session.started_at
    ):
        return None
    return session.energy_wh * _MICROSECONDS_AN_HOUR // ((session.stopped_at - session.started_at) // _MICROSECOND)


# --- Single values


class Reported(NamedTuple):
    """What of a meter value tells a power or a register."""

    measurand: str
    value: Decimal
    unit: str
    phase: str = ""


def power_w(value: "MeterValue | Reported") -> int | None:
    """Power of a sample in W; None where it is of something else."""
    scale = {"W": 1, "kW": 1000}.get(value.unit)
    return _whole(value.value * scale) if value.measurand == POWER and scale else None


def register_wh(value: "MeterValue | Reported") -> int | None:
    """The energy register in Wh, of all phases together; None where the sample is of something else."""
    scale = {"Wh": 1, "kWh": 1000}.get(value.unit)
    return _whole(value.value * scale) if value.measurand == REGISTER and not value.phase and scale else None


def _whole(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_UP))


# --- How far it has come


def progress_of(session: "ChargingSession", values: "Sequence[MeterValue]") -> Progress:
    """From all values of a session that goes on."""
    readings = [wh for value in values if (wh := register_wh(value)) is not None]
    return Progress(_since_start(session, readings[-1] if readings else None), _power_now(session, values))


def _power_now(session: "ChargingSession", values: "Sequence[MeterValue]") -> int | None:
    """The end of the curve; while one sample makes none yet, that one."""
    curve = curve_of(session, values)
    if curve is not None and not curve.derived:
        return curve.points[-1].power_w
    points, _ = _reported(value for value in values if _is_inside(session, value.sampled_at))
    last = points or (curve.points if curve else [])
    return last[-1].power_w if last else None


def progress_reported(session: Any) -> Progress:
    """From the last values alone, which `portal.history.query.charging` has put beside the session."""
    register = _sample(REGISTER, session.last_register, session.last_register_unit)
    power = _sample(POWER, session.last_power, session.last_power_unit)
    return Progress(
        energy_wh=_since_start(session, register_wh(register) if register else None),
        power_w=power_w(power) if power else None,
    )


def _sample(measurand: str, value: Decimal | None, unit: str | None) -> Reported | None:
    return None if value is None else Reported(measurand, value, unit or "")


def _since_start(session: "ChargingSession", register: int | None) -> int | None:
    if register is None or session.meter_start_wh is None:
        return None
    charged = register - session.meter_start_wh
    return 0 if -ROUNDING_WH <= charged < 0 else charged
