"""PURE: what an outlet may be following of the three profiles that it was told, and how much it can draw at most.

    FALLBACK  TxDefaultProfile, stack level 0, without end: what holds when nothing else does, as without a connection
    STANDBY   TxDefaultProfile, stack level 1, with an end: what a car gets that comes now
    CHARGE    TxProfile, with an end: what the car gets that charges now

A station takes the end by its own clock, which may be off by SKEW. Whether it follows a message that it has not
answered, nobody knows: then both are counted, what was before and what was sent. So `most` is never less than what the
outlet does, whatever happens to the connection from now on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from stations.load.sharing import PHASES

SKEW = timedelta(seconds=60)


class Layer(StrEnum):
    FALLBACK = "FALLBACK"
    STANDBY = "STANDBY"
    CHARGE = "CHARGE"


@dataclass(frozen=True)
class Told:
    """One profile: amperes on each of `phases`, until its end; None: without one."""

    amperes: int
    until: datetime | None = None
    phases: frozenset[int] = PHASES

    def ended(self, now: datetime) -> bool:
        """Whether it has ended by any clock."""
        return self.until is not None and now >= self.until + SKEW

    def may_have_ended(self, now: datetime) -> bool:
        """Whether it has ended by some clock."""
        return self.until is not None and now >= self.until - SKEW


@dataclass(frozen=True)
class Standing:
    """Of one layer: what was accepted, what was sent and never answered (`maybe`), what is on its way (`asked`)."""

    accepted: Told | None = None
    maybe: tuple[Told, ...] = ()
    asked: Told | None = None

    @property
    def possible(self) -> Iterator[Told | None]:
        """All that the outlet may be following in this layer; None: nothing."""
        yield self.accepted
        yield from self.maybe
        if self.asked is not None:
            yield self.asked

    def ask(self, told: Told) -> "Standing":
        """It is on its way."""
        return replace(self, asked=told)

    def accept(self) -> "Standing":
        """The station has taken it; it replaces all that was before, as the station takes messages in order."""
        return Standing(accepted=self.asked) if self.asked else self

    def lose(self) -> "Standing":
        """It was sent and not answered."""
        return Standing(self.accepted, (*self.maybe, self.asked)) if self.asked else self

    def refuse(self) -> "Standing":
        """The station has not taken it, or it was never sent."""
        return replace(self, asked=None)

    def doubt(self) -> "Standing":
        """The station started anew: it may have kept it or not."""
        return Standing(None, tuple(dict.fromkeys(told for told in self.possible if told is not None)))

    def tidy(self, now: datetime) -> "Standing":
        """Without what has ended by any clock."""
        accepted = None if self.accepted is None or self.accepted.ended(now) else self.accepted
        maybe = dict.fromkeys(told for told in self.maybe if not told.ended(now))
        return Standing(accepted, tuple(maybe), self.asked)


NOTHING = Standing()


@dataclass(frozen=True)
class Outlet:
    """`maximum`: what its hardware gives, in amperes."""

    key: int
    maximum: int
    layers: Mapping[Layer, Standing] = field(default_factory=dict)

    def layer(self, layer: Layer) -> Standing:
        """How it stands with one of the three."""
        return self.layers.get(layer, NOTHING)

    def with_layer(self, layer: Layer, standing: Standing) -> "Outlet":
        """The same outlet after something was asked or answered."""
        return replace(self, layers={**self.layers, layer: standing})

    @property
    def fallback(self) -> int:
        """The most that it draws where no other profile holds."""
        told = self.layer(Layer.FALLBACK).possible
        return min(self.maximum, max(self.maximum if one is None else one.amperes for one in told))

    def most(self, at: datetime, phase: int) -> int:
        """The most that it can draw then on the phase, if it hears nothing from now on."""
        charge = [
            told.amperes
            for told in self.layer(Layer.CHARGE).possible
            if told is not None and phase in told.phases and not told.ended(at)
        ]
        return min(self.maximum, max([self._standby(at), *charge]))

    def _standby(self, at: datetime) -> int:
        """What a car gets that comes then: by STANDBY where that holds for sure, else by FALLBACK."""
        found = []
        for told in self.layer(Layer.STANDBY).possible:
            if told is not None and not told.ended(at):
                found.append(told.amperes)
            if told is None or told.may_have_ended(at):
                found.append(self.fallback)
        return max(found)

    @property
    def edges(self) -> Iterator[datetime]:
        """When `most` may change."""
        for standing in self.layers.values():
            for told in standing.possible:
                if told is not None and told.until is not None:
                    yield told.until - SKEW
                    yield told.until + SKEW
