"""PURE: which outlet gets how much of a limit now, in whole amperes per phase.

1. An outlet charges with at least MINIMUM (IEC 61851: 6 A) or pauses with 0. Where not all fit, they take turns: the
   order in which the charges began goes round by one place each turn, and whoever fits in that order charges. Cars
   that were offered current and took none come last.
2. All who charge get the same, but nobody more than the outlet has and its car draws (`most`): what one leaves, the
   others get. On each phase the sum is at most the limit.

A car is on one phase or counted on all of them. So a higher limit, while the same charge, lowers nobody's share; and
it makes no one pause.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

MINIMUM = 6
PHASES = frozenset({1, 2, 3})


@dataclass(frozen=True)
class Car:
    """One outlet that wants to charge. `most`: what it can use, in amperes; below MINIMUM it cannot charge at all.

    `took_nothing`: it was offered current and drew none.
    """

    key: int
    most: int
    phases: frozenset[int] = PHASES
    took_nothing: bool = False


def shares(room: Mapping[int, int], cars: Sequence[Car], *, turn: int = 0) -> dict[int, int]:
    """Amperes for each car by its key: 0, or MINIMUM to its `most`. `room`: amperes on each phase.

    `cars` in the order in which the charges began; `turn` counts the turns.
    """
    charging = _admitted(room, in_turn(cars, turn))
    levels = _levels(room, charging)
    return {car.key: int(levels.get(car.key, 0)) for car in cars}


def in_turn(cars: Sequence[Car], turn: int) -> list[Car]:
    """The order of this turn."""
    wanting = [car for car in cars if not car.took_nothing]
    resting = [car for car in cars if car.took_nothing]
    return [*_rotated(wanting, turn), *_rotated(resting, turn)]


def _rotated(cars: list[Car], turn: int) -> list[Car]:
    first = turn % len(cars) if cars else 0
    return cars[first:] + cars[:first]


def _admitted(room: Mapping[int, int], cars: Sequence[Car]) -> list[Car]:
    """Who gets the minimum, in this order."""
    left = dict(room)
    charging = []
    for car in cars:
        if car.most >= MINIMUM and all(left[phase] >= MINIMUM for phase in car.phases):
            charging.append(car)
            for phase in car.phases:
                left[phase] -= MINIMUM
    return charging


def _levels(room: Mapping[int, int], charging: Collection[Car]) -> dict[int, Fraction]:
    """The same rising level for all, until a car has enough or a phase is full (max-min fairness), as exact fractions.

    Rounded down only at the end: that keeps the sums, and what is said of a higher limit.
    """
    level = Fraction(MINIMUM)
    found: dict[int, Fraction] = {}
    rising = list(charging)
    while rising:
        tops = [Fraction(min(car.most for car in rising))]
        for phase in {phase for car in rising for phase in car.phases}:
            fixed = sum((found[car.key] for car in charging if phase in car.phases and car.key in found), Fraction(0))
            count = sum(phase in car.phases for car in rising)
            tops.append((room[phase] - fixed) / count)
        level = max(level, min(tops))
        full = {phase for phase in room if _used(phase, charging, found, level) >= room[phase]}
        for car in rising:
            if car.most <= level or car.phases & full:
                found[car.key] = level
        rising = [car for car in rising if car.key not in found]
    return found


def _used(phase: int, charging: Collection[Car], found: Mapping[int, Fraction], level: Fraction) -> Fraction:
    return sum((found.get(car.key, level) for car in charging if phase in car.phases), Fraction(0))
