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
Held = tuple[int | None, int | None]  # power in mW and current in mA


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
    limits = [one.restrictions for one in elements]
    by_power = any(one.min_power_mw is not None or one.max_power_mw is not None for one in limits)
    by_current = any(one.min_current_ma is not None or one.max_current_ma is not None for one in limits)
    window, energy, window_ends, place = 0, 0, [*cuts.starts[1:], end], 0
    for piece in pieces(usage, by_power=by_power, by_current=by_current):
        since, held = piece.start, (piece.power_mw, piece.current_ma)
        dimension = TIME if piece.charging else PARKING_TIME
        while since < piece.end:
            while window_ends[window] <= since:
                window += 1
            until = min(piece.end, window_ends[window])
            now, energy_until = by_window[window], piece.energy_at(until)
            while place < len(marks) and marks[place] <= energy_until:
                at = piece.reached(marks[place])
                reckoning.add(now, held, dimension, since, at, energy, marks[place])
                since, energy, place = at, marks[place], place + 1
            reckoning.add(now, held, dimension, since, until, energy, energy_until)
            since, energy = until, energy_until
    if start == end:
        for mark in [*(mark for mark in marks if mark <= usage.energy_wh), usage.energy_wh]:
            reckoning.add(by_window[0], (None, None), TIME, start, start, energy, mark)
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
        self.found: dict[int, Used] = {}  # by the component's id()
        self.number = 0

    def add(
        self, now: Mapping[str, Candidates], held: Held, dimension: str, since: int, until: int, wh: int, until_wh: int
    ) -> None:
        """A part of the charge in which the same holds, with what had flowed before and after it."""
        self.number += 1
        if FLAT in now:
            self._use(_first(now[FLAT], wh, held), since, 1)
        if ENERGY in now and (until_wh > wh or not self.found):
            self._use(_first(now[ENERGY], wh, held), since, until_wh - wh)
        if dimension in now and (until > since or not self.found):
            self._use(_first(now[dimension], wh, held), since, until - since)

    def _use(self, component: Component | None, since: int, quantity: int) -> None:
        if component is None:
            return
        used = self.found.get(id(component))
        if used is None:
            used = self.found[id(component)] = Used(component, since)
        if component.type == FLAT:
            used.quantity = 1
        elif quantity:
            if not used.quantity:
                used.since = since
            used.quantity += quantity
            used.last = self.number


def _first(among: Candidates, energy_wh: int, held: Held) -> Component | None:
    for component, limits in among:
        if limits is None or _holds(limits, energy_wh, held):
            return component
    return None


def _holds(limits: Restrictions, energy_wh: int, held: Held) -> bool:
    if limits.min_wh is not None and energy_wh < limits.min_wh:
        return False
    if limits.max_wh is not None and energy_wh >= limits.max_wh:
        return False
    return _between(held[0], limits.min_power_mw, limits.max_power_mw) and _between(
        held[1], limits.min_current_ma, limits.max_current_ma
    )


def _between(value: int | None, least: int | None, most: int | None) -> bool:
    """What is not known is within no limits."""
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value < most)
