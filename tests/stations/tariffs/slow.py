"""What a charge costs, worked out a second time: plainly and slowly, and from OCPI's text, not from our engine.

It walks second by second and watt-hour by watt-hour, asks for each which element holds, and adds up. It shares nothing
with stations/tariffs but the shape of what it is given: a snapshot and a Usage.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from stations.tariffs.usage import Usage

DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3}
WEEK = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
Key = tuple[int, str]


def seconds_of(moment: datetime) -> int:
    return int(moment.astimezone(UTC).replace(microsecond=0).timestamp())


def half_up(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


class Course:
    """The charge by the second: energy at its beginning, charging or not, power and current in it."""

    def __init__(self, usage: Usage) -> None:
        self.start = seconds_of(usage.started_at)
        self.end = max(self.start, seconds_of(usage.stopped_at))
        self.length = self.end - self.start
        self.state = self._states(usage)
        self.energy, self.stretch = self._energy(usage)
        flowed = [self.stretch[n][1] > 0 for n in range(self.length)]
        self.charging = [bool(flowed[n] if self.state[n] is None else self.state[n]) for n in range(self.length)]
        power = self._held([(seconds_of(one.at), one.power_w) for one in usage.readings if one.power_w is not None])
        current = self._held(
            [(seconds_of(one.at), one.current_a) for one in usage.readings if one.current_a is not None]
        )
        self.power = [power[n] if power[n] is not None else self._mean(n) for n in range(self.length)]
        self.current = current
        for n in range(self.length):
            if not self.charging[n]:
                self.power[n] = self.current[n] = 0

    def _states(self, usage: Usage) -> list[bool | None]:
        found: list[bool | None] = []
        for second in range(self.start, self.end):
            said = [(seconds_of(one.at), one.charging) for one in usage.states if seconds_of(one.at) <= second]
            found.append(max(said)[1] if said else None)
        return found

    def _held(self, said: list[tuple[int, Decimal]]) -> list[int | None]:
        """Thousandths; the last that was said, before the first the first; in one second the greatest."""
        if not said:
            return [None] * self.length
        earliest = min(second for second, _ in said)
        by_second: dict[int, int] = {}
        for second, value in said:
            thousandths = max(0, half_up(Fraction(value) * 1000))
            by_second[second] = max(by_second.get(second, 0), thousandths)
        before = [second for second in by_second if second <= self.start]
        now = by_second[max(before)] if before else by_second[earliest]
        found: list[int | None] = []
        for second in range(self.start, self.end):
            now = by_second.get(second, now)
            found.append(now)
        return found

    def _energy(self, usage: Usage) -> tuple[list[int], list[tuple[int, int]]]:
        """Wh at each second's beginning and at the end; and of each second (seconds, Wh) of its stretch that flow."""
        points = {self.start: 0, self.end: usage.energy_wh}
        for one in usage.readings:
            second = seconds_of(one.at)
            if one.energy_wh is not None and self.start < second < self.end:
                points[second] = max(points.get(second, 0), min(one.energy_wh, usage.energy_wh))
        energy, stretch, most = [0] * (self.length + 1), [(0, 0)] * self.length, 0
        times = sorted(points)
        for since, until in itertools.pairwise(times):
            points[until] = max(points[until], points[since])
            seconds = range(since - self.start, until - self.start)
            flowing = [n for n in seconds if self.state[n] is not False] or list(seconds)
            whole, passed = points[until] - points[since], 0
            for n in seconds:
                stretch[n] = (len(flowing), whole)
                passed += n in flowing if len(flowing) < len(seconds) else 1
                energy[n + 1] = points[since] + half_up(Fraction(whole * passed, len(flowing)))
            most = points[until]
        energy[-1] = usage.energy_wh if self.length == 0 else most
        return energy, stretch

    def _mean(self, n: int) -> int:
        seconds, whole = self.stretch[n]
        return half_up(Fraction(whole * 3600 * 1000, seconds))


@lru_cache(100_000)
def local(second: int, zone: str) -> tuple[str, str, str]:
    """(clock, date, day of the week) there."""
    there = datetime.fromtimestamp(second, ZoneInfo(zone))
    return there.strftime("%H:%M"), there.strftime("%Y-%m-%d"), WEEK[there.weekday()]


def by_time(limits: Mapping[str, Any], second: int, zone: str, lasted: int) -> bool:
    clock, day, name = local(second, zone)
    since, until = limits.get("start_time", "00:00"), limits.get("end_time", "00:00")
    if since < until or until == "00:00":
        inside = since <= clock and (until == "00:00" or clock < until)
    else:
        inside = since <= clock or clock < until
    return (
        inside
        and limits.get("start_date", day) <= day
        and (day < limits["end_date"] if "end_date" in limits else True)
        and (name in limits["day_of_week"] if limits.get("day_of_week") else True)
        and limits.get("min_duration", 0) <= lasted
        and (lasted < limits["max_duration"] if "max_duration" in limits else True)
    )


def by_use(limits: Mapping[str, Any], energy: int, power: int | None, current: int | None) -> bool:
    for name, value, scale in (("kwh", energy, 1000), ("power", power, 10**6), ("current", current, 1000)):
        least, most = limits.get(f"min_{name}"), limits.get(f"max_{name}")
        if (least is not None or most is not None) and value is None:
            return False
        if least is not None and Fraction(value or 0) < Fraction(str(least)) * scale:
            return False
        if most is not None and Fraction(value or 0) >= Fraction(str(most)) * scale:
            return False
    return True


class Meter:
    """Counts what each component of the tariff is used."""

    def __init__(self, elements: list[Mapping[str, Any]], zone: str) -> None:
        self.elements, self.zone, self.count, self.last = elements, zone, defaultdict[Key, int](int), dict[str, Key]()
        self.limits = [one.get("restrictions") or {} for one in elements]
        self.places = {
            kind: [n for n, one in enumerate(elements) if kind in {part["type"] for part in one["price_components"]}]
            for kind in ("FLAT", "ENERGY", "TIME", "PARKING_TIME")
        }
        self.time_known: dict[tuple[int, int], bool] = {}

    def first(
        self, kind: str, second: int, lasted: int, energy: int, power: int | None, current: int | None
    ) -> int | None:
        for place in self.places[kind]:
            if (place, lasted) not in self.time_known:
                self.time_known[place, lasted] = by_time(self.limits[place], second, self.zone, lasted)
            if self.time_known[place, lasted] and by_use(self.limits[place], energy, power, current):
                return place
        return None

    def use(self, kind: str, quantity: int, place: int | None) -> None:
        if place is None or not quantity:
            return
        if kind == "FLAT":
            self.count[place, kind] = 1
        else:
            self.count[place, kind] += quantity
            self.last[kind] = (place, kind)


def walk(elements: list[Mapping[str, Any]], usage: Usage) -> dict[Key, int]:
    """What of each component was used, rounded up by the steps."""
    course, meter = Course(usage), Meter(elements, usage.time_zone)
    steps = sorted(
        {int(Fraction(str(of[name])) * 1000) for of in meter.limits for name in ("min_kwh", "max_kwh") if name in of}
    )
    for n in range(course.length):
        second, power, current = course.start + n, course.power[n], course.current[n]
        kind = "TIME" if course.charging[n] else "PARKING_TIME"
        since, until = course.energy[n], course.energy[n + 1]
        meter.use(kind, 1, meter.first(kind, second, n, since, power, current))
        meter.use("FLAT", 1, meter.first("FLAT", second, n, since, power, current))
        for wh in _parts(since, until, steps):
            meter.use("FLAT", 1, meter.first("FLAT", second, n, wh[1], power, current) if wh[1] in steps else None)
            meter.use("ENERGY", wh[1] - wh[0], meter.first("ENERGY", second, n, wh[0], power, current))
    if not course.length:
        meter.use("FLAT", 1, meter.first("FLAT", course.start, 0, 0, None, None))
        for since, until in _parts(0, usage.energy_wh, steps):
            meter.use("ENERGY", until - since, meter.first("ENERGY", course.start, 0, since, None, None))
            meter.use("FLAT", 1, meter.first("FLAT", course.start, 0, until, None, None) if until in steps else None)
    _round_up(elements, meter)
    return dict(meter.count)


def _parts(since: int, until: int, steps: list[int]) -> list[tuple[int, int]]:
    """The watt-hours of a second, divided where an element by energy may begin or end."""
    ends = [since, *(step for step in steps if since < step < until), until] if until > since else []
    return list(itertools.pairwise(ends))


def _round_up(elements: list[Mapping[str, Any]], meter: Meter) -> None:
    time = "PARKING_TIME" if "PARKING_TIME" in meter.last else "TIME"
    for kind in ("ENERGY", time):
        if kind in meter.last:
            place, _ = meter.last[kind]
            step = part_of(elements, place, kind).get("step_size", 1)
            total = sum(count for (_, what), count in meter.count.items() if what == kind)
            while total % step:
                meter.count[place, kind] += 1
                total += 1


def part_of(elements: list[Mapping[str, Any]], place: int, kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(part for part in elements[place]["price_components"] if part["type"] == kind)
    return found


def cost(snapshot: Mapping[str, Any], usage: Usage) -> tuple[dict[Key, int], int]:
    """The quantities by (element, kind), and the whole price in minor units, of a tariff whose prices include VAT."""
    elements, digits = list(snapshot["elements"]), DIGITS[snapshot["currency"]]
    counted, total = walk(elements, usage), 0
    for (place, kind), quantity in counted.items():
        divisor = {"ENERGY": 1000, "FLAT": 1}.get(kind, 3600)
        total += half_up(Fraction(part_of(elements, place, kind)["price"]) * quantity * 10**digits / divisor)
    for name, choose in (("min_price", max), ("max_price", min)):
        if name in snapshot:
            total = choose(total, half_up(Fraction(snapshot[name]["incl_vat"]) * 10**digits))
    return counted, total
