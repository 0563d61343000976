"""PURE: which profiles are sent now, so that the site's limit holds at each moment, also if nothing else is ever sent.

Whatever does not let an outlet draw more is sent at once. What does, is sent only where the sum of all outlets' `most`
(stations/load/standing.py) stays within the limit from now on, and so after the others have accepted less. What lets
an outlet draw more than its fallback is short (RAISE_FOR) and what keeps it below is long (LOWER_FOR): when the
connection is lost, those who borrowed give back before those who lent take it again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stations.load.sharing import PHASES
from stations.load.standing import SKEW, Layer, Outlet, Told

RAISE_FOR = timedelta(minutes=10)
LOWER_FOR = timedelta(minutes=40)
USEFUL_FOR = 2 * SKEW + timedelta(seconds=30)  # an increase for less is not worth a message
SOON = timedelta(seconds=10)
STEP_A = 2  # an increase by less waits until the profile is renewed


@dataclass(frozen=True)
class Wish:
    """What an outlet shall be told: amperes of each layer. `charge` is None where no car is known to charge.

    `open`: layers in which nothing may be asked now: a message is on its way, or the last was just refused.
    """

    fallback: int
    standby: int
    charge: int | None = None
    phases: frozenset[int] = PHASES
    open: frozenset[Layer] = frozenset()


@dataclass(frozen=True)
class Ask:
    key: int
    layer: Layer
    told: Told


@dataclass(frozen=True)
class Limits:
    """The limit over time, in amperes per phase, and the moments at which it changes within LOWER_FOR."""

    at: Callable[[datetime], int]
    changes: Sequence[datetime]
    phases: frozenset[int] = PHASES


def plan(now: datetime, outlets: Sequence[Outlet], wishes: Mapping[int, Wish], limits: Limits) -> list[Ask]:
    """What to send now, in this order. Outlets without a wish hear nothing, and are counted."""
    standing = {outlet.key: outlet for outlet in outlets}
    asks: list[Ask] = []
    waiting = [
        (key, layer, amperes) for key, wish in wishes.items() for layer, amperes in _needed(now, standing[key], wish)
    ]
    for lowering in (True, False):  # what is freed counts for the others only when it was accepted
        for key, layer, amperes in waiting:
            outlet, wish = standing[key], wishes[key]
            if any(ask.key == key and ask.layer == layer for ask in asks):
                continue
            soonest = now + (SOON if lowering else USEFUL_FOR)
            for told in _candidates(now, soonest, list(standing.values()), wish, layer, amperes, limits):
                after = outlet.with_layer(layer, outlet.layer(layer).ask(told))
                others = () if lowering else [other for other in standing.values() if other.key != key]
                if _holds(now, outlet, after, others, limits, alone=lowering):
                    asks.append(Ask(key, layer, told))
                    standing[key] = after
                    break
    return asks


def _needed(now: datetime, outlet: Outlet, wish: Wish) -> Iterator[tuple[Layer, int]]:
    """The layers in which the outlet does not have what it should, or not for much longer."""
    fallback = outlet.layer(Layer.FALLBACK)
    if Layer.FALLBACK not in wish.open and (
        fallback.accepted is None or fallback.maybe or fallback.accepted.amperes != wish.fallback
    ):
        yield Layer.FALLBACK, wish.fallback
    if Layer.STANDBY not in wish.open and _standby_needed(now, outlet, wish):
        yield Layer.STANDBY, wish.standby
    if wish.charge is not None and Layer.CHARGE not in wish.open:
        charge = outlet.layer(Layer.CHARGE)
        if charge.maybe or not _stands(now, charge.accepted, wish.charge, wish):
            yield Layer.CHARGE, wish.charge


def _standby_needed(now: datetime, outlet: Outlet, wish: Wish) -> bool:
    standby = outlet.layer(Layer.STANDBY)
    if standby.maybe:
        return True
    if wish.standby == wish.fallback:  # the fallback says it already, unless something stands before it
        return standby.accepted is not None and standby.accepted.amperes != wish.standby
    return not _stands(now, standby.accepted, wish.standby, wish, all_phases=True)


def _stands(now: datetime, told: Told | None, amperes: int, wish: Wish, *, all_phases: bool = False) -> bool:
    """Whether it is as wished, and for long enough; a small increase waits for the renewal."""
    if told is None or told.until is None or told.phases != (PHASES if all_phases else wish.phases):
        return False
    is_near = told.amperes <= amperes < told.amperes + STEP_A and (told.amperes > 0 or amperes == 0)
    return is_near and told.until - now > _lease(amperes, wish) / 2


def _lease(amperes: int, wish: Wish) -> timedelta:
    return RAISE_FOR if amperes > wish.fallback else LOWER_FOR


def _candidates(
    now: datetime,
    soonest: datetime,
    outlets: Sequence[Outlet],
    wish: Wish,
    layer: Layer,
    amperes: int,
    limits: Limits,
) -> Iterator[Told]:
    """The profile with the longest end first; shorter ones end where something else changes."""
    if layer == Layer.FALLBACK:
        yield Told(amperes)
        return
    phases = wish.phases if layer == Layer.CHARGE else PHASES
    latest = now + _lease(amperes, wish)
    edges = {edge - SKEW for outlet in outlets for edge in outlet.edges} | {change - SKEW for change in limits.changes}
    ends = {latest, *(edge for edge in edges if soonest <= edge < latest)}
    for until in sorted(ends, reverse=True):
        yield Told(amperes, until.replace(microsecond=0), phases)


def _holds(
    now: datetime, before: Outlet, after: Outlet, others: Sequence[Outlet], limits: Limits, *, alone: bool
) -> bool:
    """Whether at each moment the outlet can draw no more than before, or (not `alone`) all together fit."""
    moments = {now, *after.edges, *(edge for outlet in others for edge in outlet.edges), *limits.changes}
    for moment in (moment for moment in moments if moment >= now):
        for phase in limits.phases:
            most = after.most(moment, phase)
            if most <= before.most(moment, phase):
                continue
            if alone or most + sum(other.most(moment, phase) for other in others) > limits.at(moment):
                return False
    return True
