"""PURE: which profiles are sent now, so that the site's limit holds at each moment, also if nothing else is ever sent.

Whatever does not let an outlet draw more is sent at once. What does, is sent only where the sum of all outlets' `most`
(stations/load/standing.py) stays within the limit from now on, and so after the others have accepted less. What lets
an outlet draw more than its fallback is short (RAISE_FOR) and what keeps it below is long (LOWER_FOR): when the
connection is lost, those who borrowed give back before those who lent take it again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    waiting = [(key, layer) for key, wish in wishes.items() for layer in _needed(now, standing[key], wish)]
    for lowering in (True, False):  # what is freed counts for the others only when it was accepted
        for key, layer in waiting:
            if any(ask.key == key and ask.layer == layer for ask in asks):
                continue
            others = [other for other in standing.values() if other.key != key]
            failed: dict[Told, datetime] = {}  # of each without its end: when it would be too much
            for told in _candidates(now, standing[key], others, wishes[key], layer, limits, lowering=lowering):
                endless = replace(told, until=None)
                if endless in failed and not told.ended(failed[endless]):
                    continue
                after = standing[key].with_layer(layer, standing[key].layer(layer).ask(told))
                moment = _too_much(now, standing[key], after, () if lowering else others, limits, alone=lowering)
                if moment is None:
                    if _gains(standing[key], layer, told):
                        asks.append(Ask(key, layer, told))
                        standing[key] = after
                    break
                failed[endless] = moment
    return asks


def _gains(outlet: Outlet, layer: Layer, told: Told) -> bool:
    """Whether it says more than what was accepted already: something else, or the same for clearly longer."""
    standing = outlet.layer(layer)
    accepted = standing.accepted
    if accepted is None or standing.maybe or replace(accepted, until=told.until) != told:
        return True
    return accepted.until is not None and told.until is not None and told.until >= accepted.until + SKEW


def _needed(now: datetime, outlet: Outlet, wish: Wish) -> Iterator[Layer]:
    """The layers in which the outlet does not have what it should, or not for much longer.

    The fallback comes first: until it is known, nothing else is safe when it ends.
    """
    fallback = outlet.layer(Layer.FALLBACK)
    is_as_wished = fallback.accepted is not None and fallback.accepted.amperes == wish.fallback
    if Layer.FALLBACK not in wish.open and (fallback.maybe or not is_as_wished):
        yield Layer.FALLBACK
    if fallback.accepted is None:
        return
    if Layer.STANDBY not in wish.open and _standby_needed(now, outlet, wish):
        yield Layer.STANDBY
    if wish.charge is not None and Layer.CHARGE not in wish.open:
        charge = outlet.layer(Layer.CHARGE)
        if charge.maybe or not _stands(now, charge.accepted, wish.charge, wish):
            yield Layer.CHARGE


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
    outlet: Outlet,
    others: Sequence[Outlet],
    wish: Wish,
    layer: Layer,
    limits: Limits,
    *,
    lowering: bool,
) -> Iterator[Told]:
    """What is wished with the longest end first; shorter ones end where something else changes."""
    if layer == Layer.FALLBACK:
        yield Told(wish.fallback)
        return
    wished = Told(wish.standby if layer == Layer.STANDBY else wish.charge or 0)
    if layer == Layer.CHARGE:
        wished = replace(wished, phases=wish.phases)
    soonest, latest = now + (SOON if lowering else USEFUL_FOR), now + _lease(wished.amperes, wish)
    edges = {edge - SKEW for one in (outlet, *others) for edge in one.edges}
    edges |= {change - SKEW for change in limits.changes}
    ends = {latest, *(edge for edge in edges if soonest <= edge < latest)}
    steps = [wished, *_steps(outlet.layer(layer).accepted, wished)] if lowering else [wished]
    for step in steps:
        for until in sorted(ends, reverse=True):
            yield replace(step, until=until.replace(microsecond=0))


def _steps(accepted: Told | None, wished: Told) -> Iterator[Told]:
    """Where a car is to have more on some phases and less on others: first only the less."""
    if accepted is not None and accepted.phases & wished.phases:
        narrow = Told(min(accepted.amperes, wished.amperes), None, accepted.phases & wished.phases)
        if narrow != replace(accepted, until=None):
            yield narrow


def _too_much(
    now: datetime, before: Outlet, after: Outlet, others: Sequence[Outlet], limits: Limits, *, alone: bool
) -> datetime | None:
    """The first moment at which the outlet could draw more than before and (if not `alone`) all together do not fit."""
    moments = {now, *after.edges, *(edge for outlet in others for edge in outlet.edges), *limits.changes}
    for moment in sorted(moment for moment in moments if moment >= now):
        for phase in limits.phases:
            most = after.most(moment, phase)
            if most <= before.most(moment, phase):
                continue
            if alone or most + sum(other.most(moment, phase) for other in others) > limits.at(moment):
                return moment
    return None
