"""PURE: how much a charge used of each price component of a tariff (OCPI 2.2.1, mod_tariffs).

At each moment and for each dimension the first element counts that has a price for it and whose restrictions hold.
The charge is cut wherever one can begin or end to hold: at the second by clock, calendar, duration, power, current and
state; at the watt-hour by energy. An element by energy holds for the watt-hour that flows; time counts to it from the
second on at whose start so much has flowed. FLAT is due once for each component that is the first of its kind at any
moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stations.tariffs.clock import windows
from stations.tariffs.shape import (
    ENERGY,
    FLAT,
    PARKING_TIME,
    RESERVATION,
    RESERVATION_EXPIRES,
    TIME,
    Component,
    Element,
    Restrictions,
)
from stations.tariffs.usage import Reservation, State, Usage, bounds, pieces
from stations.zones import zone_named


@dataclass
class Used:
    """So much of a component: Wh, seconds, or 1. `since`: the second of its first use; `last` orders last uses."""

    component: Component
    since: int
    quantity: int = 0
    last: int = 0


# Those of a dimension that may hold in a window, in order; None where nothing but the window decides.
Candidates = Sequence[tuple[Component, Restrictions | None]]


def used_of(elements: Sequence[Element], usage: Usage) -> list[Used]:
    """What the charge itself used, in the order in which it began to; elements for reservations are left out."""
    return _used([one for one in elements if not one.restrictions.reservation], usage)


def used_of_reservation(elements: Sequence[Element], kept: Reservation, time_zone: str) -> list[Used]:
    """What the reservation used; where nobody came, elements for that case come before the others."""
    kinds = (RESERVATION_EXPIRES, RESERVATION) if kept.expired else (RESERVATION,)
    chosen = [one for kind in kinds for one in elements if one.restrictions.reservation == kind]
    waiting = Usage(kept.started_at, kept.ended_at, 0, (), (State(kept.started_at, True),), time_zone)
    return _used(chosen, waiting)


def _used(elements: Sequence[Element], usage: Usage) -> list[Used]:
    start, end = bounds(usage)
    cuts = windows(elements, zone_named(usage.time_zone), start, end)
    by_window = [_candidates(elements, holding) for holding in cuts.holding]
    marks, reckoning = _marks(elements), _Reckoning()
    window, energy, window_ends = 0, 0, [*cuts.starts[1:], end]
    for piece in pieces(usage):
        since, dimension = piece.start, TIME if piece.charging else PARKING_TIME
        while since < piece.end:
            while window_ends[window] <= since:
                window += 1
            until = min(piece.end, window_ends[window])
            reckoning.now(by_window[window], piece.power_mw, piece.current_ma)
            energy_until = piece.energy_at(until)
            if energy_until > energy:
                for mark in marks:
                    if energy < mark <= energy_until:
                        at = piece.reached(mark)
                        reckoning.add(dimension, since, at, energy, mark)
                        since, energy = at, mark
            reckoning.add(dimension, since, until, energy, energy_until)
            since, energy = until, energy_until
    if start == end:
        reckoning.now(by_window[0], None, None)
        for mark in [*(mark for mark in marks if mark <= usage.energy_wh), usage.energy_wh]:
            reckoning.add(TIME, start, start, energy, mark)
            energy = mark
    return list(reckoning.found.values())


def _marks(elements: Sequence[Element]) -> list[int]:
    """The energies at which an element begins or ends to hold."""
    limits = [one.restrictions for one in elements]
    return sorted({wh for one in limits for wh in (one.min_wh, one.max_wh) if wh})


def _candidates(elements: Sequence[Element], holding: Sequence[int]) -> Mapping[str, Candidates]:
    found: dict[str, list[tuple[Component, Restrictions | None]]] = {}
    for place in holding:
        limits = elements[place].restrictions
        moving = (limits.min_wh, limits.max_wh, limits.min_power_mw, limits.max_power_mw)
        by_window = all(one is None for one in (*moving, limits.min_current_ma, limits.max_current_ma))
        for component in elements[place].components:
            among = found.setdefault(component.type, [])
            if not among or among[-1][1] is not None:
                among.append((component, None if by_window else limits))
    return found


class _Reckoning:
    """What was used so far, and what holds at the moment."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, str], Used] = {}
        self.candidates: Mapping[str, Candidates] = {}
        self.power_mw: int | None = None
        self.current_ma: int | None = None
        self.number = 0

    def now(self, candidates: Mapping[str, Candidates], power_mw: int | None, current_ma: int | None) -> None:
        self.candidates, self.power_mw, self.current_ma = candidates, power_mw, current_ma

    def add(self, dimension: str, since: int, until: int, energy_wh: int, until_wh: int) -> None:
        """A part of the charge in which the same holds, with what had flowed before and after it."""
        self.number += 1
        found, candidates, power, current = self.found, self.candidates, self.power_mw, self.current_ma
        for kind, quantity in ((FLAT, 1), (ENERGY, until_wh - energy_wh), (dimension, until - since)):
            for component, limits in candidates.get(kind, ()):  # noqa: B007 - it is used below
                if limits is None or _holds(limits, energy_wh, power, current):
                    break
            else:
                continue
            key = (component.element, kind)
            used = found.get(key)
            if used is None:
                used = found[key] = Used(component, since)
            if kind == FLAT:
                used.quantity = 1
            elif quantity:
                if not used.quantity:
                    used.since = since
                used.quantity += quantity
                used.last = self.number


def _holds(limits: Restrictions, energy_wh: int, power_mw: int | None, current_ma: int | None) -> bool:
    if limits.min_wh is not None and energy_wh < limits.min_wh:
        return False
    if limits.max_wh is not None and energy_wh >= limits.max_wh:
        return False
    if not _between(power_mw, limits.min_power_mw, limits.max_power_mw):
        return False
    return _between(current_ma, limits.min_current_ma, limits.max_current_ma)


def _between(value: int | None, least: int | None, most: int | None) -> bool:
    """What is not known is within no limits."""
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value < most)
