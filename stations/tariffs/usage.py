"""PURE: what a charge used, second by second, as far as its meter and its station tell: what a price is worked out of.

Times are cut to whole seconds, energy is whole watt-hours since the start. Readings may come in any order. Between two
readings energy flows evenly; where the station has said that it does not charge, none does. `power_w` and `current_a`
(the sum over all phases) hold from their reading until the next; before the first it is the first that holds.
Where no power is reported, it is the mean between two readings of the register. A current that is not reported is not
known, and no restriction by current holds.

A moment is charging time or parking time: as the station says (`states`), and where it says nothing, it is parking
where the register stands still between two readings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Reading:
    """What was said at a moment; None of what was not said. `energy_wh` is since the start."""

    at: datetime
    energy_wh: int | None = None
    power_w: Decimal | None = None
    current_a: Decimal | None = None


@dataclass(frozen=True)
class State:
    """From then on it charges, or it does not."""

    at: datetime
    charging: bool


@dataclass(frozen=True)
class Reservation:
    """The outlet was kept for the driver; `expired`: nobody came."""

    started_at: datetime
    ended_at: datetime
    expired: bool = False


@dataclass(frozen=True)
class Usage:
    """A charge, or one that goes on as if it ended at `stopped_at`. `energy_wh`: all of it, as it is billed."""

    started_at: datetime
    stopped_at: datetime
    energy_wh: int
    readings: Sequence[Reading] = ()
    states: Sequence[State] = ()
    time_zone: str = "UTC"
    reservation: Reservation | None = None


class Piece(NamedTuple):
    """Seconds [start, end) in which nothing changes but energy; `energy_at` tells that exactly.

    It lies in a stretch between two readings of the register: from `base_wh` on `flow_wh` flow evenly in `weight`
    seconds, of which `before` have passed when the piece begins. Where `flows` is false none of it flows here.
    """

    start: int
    end: int
    charging: bool
    flows: bool
    base_wh: int
    flow_wh: int
    weight: int
    before: int
    power_mw: int | None
    current_ma: int | None

    def energy_at(self, at: int) -> int:
        """Whole watt-hours since the start of the charge, rounded half up."""
        passed = self.before + (at - self.start if self.flows else 0)
        return self.base_wh + (2 * self.flow_wh * passed + self.weight) // (2 * self.weight)

    def reached(self, energy_wh: int) -> int:
        """The first second at which `energy_at` says so much; it must lie in this piece."""
        missing = (2 * (energy_wh - self.base_wh) - 1) * self.weight
        return self.start + max(0, -(-missing // (2 * self.flow_wh)) - self.before)


def second_of(at: datetime) -> int:
    """Whole seconds since 1970, cut."""
    return (at - EPOCH) // SECOND


def moment_of(second: int) -> datetime:
    return EPOCH + second * SECOND


def bounds(usage: Usage) -> tuple[int, int]:
    """The seconds of its start and of its end."""
    start = second_of(usage.started_at)
    return start, max(start, second_of(usage.stopped_at))


def pieces(usage: Usage, *, by_power: bool = True, by_current: bool = True) -> list[Piece]:
    """The charge from its start to its end without a gap; none where it lasted less than a second.

    Without what was said of power or current where nobody asks for it.
    """
    start, end = bounds(usage)
    said = _by_second(usage, by_power=by_power, by_current=by_current)
    state: int | None = None  # before the station says one, none is known; of power and current the first holds
    power, current = (next((one[place] for _, one in said if one[place] is not None), None) for place in (1, 2))
    found: list[Piece] = []
    begun, since_wh, spans = start, 0, list[Span]()
    for at, (register, power_then, current_then, state_then) in said:
        if start < at < end:
            spans.append((begun, state, power, current))
            begun = at
        if register is not None and start < at < end:
            until_wh = max(since_wh, min(register, usage.energy_wh))
            _stretch(found, spans, at, since_wh, until_wh - since_wh)
            since_wh, spans = until_wh, []
        if at < end:
            power = power if power_then is None else power_then
            current = current if current_then is None else current_then
            state = state if state_then is None else state_then
    if start < end:
        spans.append((begun, state, power, current))
        _stretch(found, spans, end, since_wh, usage.energy_wh - since_wh)
    return found


Said = list[int | None]  # register, power, current, state
Span = tuple[int, int | None, int | None, int | None]  # from when; state, power and current there


def _by_second(usage: Usage, *, by_power: bool, by_current: bool) -> list[tuple[int, Said]]:
    """What was said, in the order of time: in one second the greatest, in whatever order it came."""
    found: dict[int, Said] = {}
    for one in usage.readings:
        at = (one.at - EPOCH) // SECOND
        power = _milli(one.power_w) if by_power and one.power_w is not None else None
        current = _milli(one.current_a) if by_current and one.current_a is not None else None
        told: Said = [one.energy_wh, power, current, None]
        found[at] = _greatest(found[at], told) if at in found else told
    for state in usage.states:
        at, told = second_of(state.at), [None, None, None, int(state.charging)]
        found[at] = _greatest(found[at], told) if at in found else told
    return sorted(found.items())


def _greatest(one: Said, other: Said) -> Said:
    pairs = zip(one, other, strict=True)
    return [b if a is None else a if b is None else max(a, b) for a, b in pairs]


def _stretch(found: list[Piece], spans: list[Span], end: int, base_wh: int, flow_wh: int) -> None:
    """The pieces between two readings of the register."""
    if len(spans) == 1:
        since, state, power, current = spans[0]
        weight = end - since
        if flow_wh if state is None else state:
            power = (flow_wh * 7_200_000 + weight) // (2 * weight) if power is None else power
            found.append(Piece(since, end, True, True, base_wh, flow_wh, weight, 0, power, current))
        else:
            found.append(Piece(since, end, False, True, base_wh, flow_wh, weight, 0, 0, 0))
        return
    ends = [*(span[0] for span in spans[1:]), end]
    weight = sum(until - span[0] for span, until in zip(spans, ends, strict=True) if span[1] != 0)
    everywhere = not weight  # it says that it does not charge, and the register goes on
    weight = weight or end - spans[0][0]
    mean_mw = (flow_wh * 7_200_000 + weight) // (2 * weight)
    before = 0
    for (since, state, power, current), until in zip(spans, ends, strict=True):
        charging = bool(flow_wh if state is None else state)
        flows = everywhere or state != 0
        held = (mean_mw if power is None else power, current) if charging else (0, 0)
        found.append(Piece(since, until, charging, flows, base_wh, flow_wh, weight, before, *held))
        before += until - since if flows else 0


def _milli(value: Decimal) -> int:
    """Thousandths, rounded half up; what flows back counts as nothing."""
    return max(0, (int(value * 10_000) + 5) // 10)
