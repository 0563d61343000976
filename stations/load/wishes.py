"""PURE: what each outlet of a site should have now; stations/load/planning.py brings them there step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from stations.load.planning import RAISE_FOR, Wish
from stations.load.sharing import MINIMUM, PHASES, Car, shares
from stations.load.standing import Layer, Outlet

TURN = timedelta(minutes=15)
HEAD_ROOM_A = 2


class Reason(StrEnum):
    """Why an outlet has what it has."""

    SHARE = "SHARE"  # an equal share
    CAR = "CAR"  # what its car draws, and head room
    TURN = "TURN"  # it waits for its turn
    FREE = "FREE"  # no car; the fallback fits beside the others
    KEPT = "KEPT"  # no car; told to wait, because others use it
    AWAY = "AWAY"  # not connected: counted with what it was told last
    REFUSES = "REFUSES"  # it did not take its profile
    SMALL = "SMALL"  # the outlet has less than the minimum


@dataclass(frozen=True)
class Place:
    """An outlet and what is known of it. `drawn`: what its car has been drawing, None where that says nothing.

    `present`: connected now. `known`: it has ever spoken OCPP. `refused`: layers that it has just refused.
    `charging`: a car is known to charge; `transaction`: by a number that a profile can name.
    """

    outlet: Outlet
    present: bool
    known: bool
    charging: bool = False
    transaction: bool = False
    phases: frozenset[int] = PHASES
    drawn: int | None = None
    open: frozenset[Layer] = frozenset()
    refused: frozenset[Layer] = frozenset()

    @property
    def steered(self) -> bool:
        """Whether it takes what it is told; what does not is counted as it is."""
        without_fallback = Layer.FALLBACK in self.refused and self.outlet.layer(Layer.FALLBACK).accepted is None
        return self.present and Layer.STANDBY not in self.refused and not without_fallback

    @property
    def follows(self) -> bool:
        """Whether it has, or will have, the fallback that it is told."""
        return self.known and not (
            Layer.FALLBACK in self.refused and self.outlet.layer(Layer.FALLBACK).accepted is None
        )


@dataclass(frozen=True)
class Verdict:
    """`amperes`: what it may draw, by now's plan. `wish`: None where it cannot be told anything."""

    amperes: int
    reason: Reason
    wish: Wish | None = None


def fallbacks(places: Sequence[Place], lowest: int, phases: frozenset[int]) -> dict[int, int]:
    """What each outlet does when it hears nothing: equal shares of the lowest limit, whatever else happens.

    Where not all get the minimum, those with the highest keys get 0.
    """
    places = sorted(places, key=lambda place: place.outlet.key)
    fixed = sum(place.outlet.fallback for place in places if not place.follows)
    room = dict.fromkeys(phases, lowest - fixed)
    cars = [Car(place.outlet.key, place.outlet.maximum, phases) for place in places if place.follows]
    return shares(room, cars)


def verdicts(
    now: datetime, places: Sequence[Place], *, limit: int, lowest: int, phases: frozenset[int], turn: int
) -> dict[int, Verdict]:
    """For each outlet by its key. Those of `places` that charge are in the order of their starts."""
    fallback = fallbacks(places, lowest, phases)
    room = {phase: limit - _unsteered(now, places, phase) for phase in phases}
    charging = [place for place in places if place.steered and place.charging]
    cars = [_car(place, phases) for place in charging]
    amperes = shares(room, cars, turn=turn)
    for place, car in zip(charging, cars, strict=True):
        for phase in car.phases:
            room[phase] -= amperes[place.outlet.key]
    idle = [place for place in places if place.steered and not place.charging]
    is_free = sum(fallback.get(place.outlet.key, 0) for place in idle) <= min(room.values())
    found = {}
    for place in places:
        key, own = place.outlet.key, fallback.get(place.outlet.key, 0)
        if not place.steered:
            found[key] = _as_it_is(now, place, own, phases)
        elif place.charging:
            found[key] = _charging(place, own, amperes[key], phases)
        else:
            standby = own if is_free else 0
            wish = Wish(own, standby, open=place.open | place.refused)
            found[key] = Verdict(standby, Reason.FREE if standby else Reason.KEPT, wish)
    return found


def _unsteered(now: datetime, places: Sequence[Place], phase: int) -> int:
    """What those may draw who cannot be told otherwise, while what is given to others now holds."""
    fixed = (place.outlet for place in places if not place.steered)
    return sum(max(outlet.most(now, phase), outlet.most(now + RAISE_FOR, phase)) for outlet in fixed)


def _car(place: Place, phases: frozenset[int]) -> Car:
    most = place.outlet.maximum
    if place.drawn is not None and most >= MINIMUM:
        most = min(most, max(MINIMUM, place.drawn + HEAD_ROOM_A))
    return Car(place.outlet.key, most, place.phases & phases or phases, took_nothing=place.drawn == 0)


def _charging(place: Place, fallback: int, amperes: int, phases: frozenset[int]) -> Verdict:
    by_profile = place.transaction and Layer.CHARGE not in place.refused
    whole = place.phases >= phases
    standby = amperes
    if by_profile:
        standby = min(amperes, fallback) if whole else 0
    wish = Wish(
        fallback,
        standby,
        amperes if by_profile else None,
        place.phases if by_profile and not whole else PHASES,
        place.open | place.refused,
    )
    return Verdict(amperes, _why(place, amperes), wish)


def _why(place: Place, amperes: int) -> Reason:
    if place.outlet.maximum < MINIMUM:
        return Reason.SMALL
    if amperes == 0:
        return Reason.TURN
    if place.drawn is not None and amperes >= max(MINIMUM, place.drawn + HEAD_ROOM_A):
        return Reason.CAR
    return Reason.SHARE


def _as_it_is(now: datetime, place: Place, fallback: int, phases: frozenset[int]) -> Verdict:
    """One that is away hears nothing; one that refused a layer is still told its fallback."""
    most = max(place.outlet.most(now, phase) for phase in phases)
    if not place.present:
        return Verdict(most, Reason.AWAY)
    standing = place.outlet.layer(Layer.STANDBY).accepted
    standby = standing.amperes if standing else fallback
    wish = Wish(fallback, standby, open=place.open | place.refused)
    return Verdict(most, Reason.REFUSES, wish)
