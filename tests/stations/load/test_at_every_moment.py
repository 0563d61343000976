"""The promise of the load management, tried out on made-up stations that follow their profiles by their own clocks.

Messages are taken, refused or lost (followed or not), connections come and go, cars come and go, clocks are off by
less than a minute, nobody may be told anything for an hour: whatever happens, all outlets together may draw no more
than the limit of the moment.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from stations.load.planning import LOWER_FOR, Ask, Limits, plan
from stations.load.schedule import Period, Schedule
from stations.load.sharing import PHASES
from stations.load.standing import Layer, Outlet, Standing, Told
from stations.load.wishes import TURN, Place, verdicts

START = datetime(2026, 3, 29, 0, 10, tzinfo=UTC)  # 50 minutes before clocks change in Berlin
AHEAD = timedelta(minutes=2)


@dataclass
class MadeUp:
    """A station with one outlet; `offset`: how far its clock is ahead."""

    maximum: int
    offset: timedelta
    layers: dict[Layer, Told]
    is_there: bool = True
    car: frozenset[int] | None = None  # the phases that it charges on

    def could_draw(self, now: datetime, phase: int) -> int:
        """Also if its car goes and another one comes this instant."""
        clock = now + self.offset

        def valid(layer: Layer) -> Told | None:
            told = self.layers.get(layer)
            return told if told and (told.until is None or clock < told.until) else None

        charge, default = valid(Layer.CHARGE), valid(Layer.STANDBY) or self.layers[Layer.FALLBACK]
        drawn = [default.amperes]
        if self.car is not None and charge is not None and phase in charge.phases:
            drawn.append(charge.amperes)
        return min(self.maximum, max(drawn))


@dataclass
class MadeUpSite:
    schedule: Schedule
    stations: list[MadeUp]
    now: datetime = START
    outlets: dict[int, Outlet] = field(default_factory=dict)
    on_their_way: list[Ask] = field(default_factory=list)

    def __post_init__(self) -> None:
        for key, station in enumerate(self.stations):
            fallback = Standing(station.layers[Layer.FALLBACK])
            self.outlets[key] = Outlet(key, station.maximum, {Layer.FALLBACK: fallback})

    def places(self) -> list[Place]:
        return [
            Place(
                self.outlets[key],
                present=station.is_there,
                known=True,
                charging=station.car is not None,
                transaction=True,
                phases=station.car or PHASES,
                open=frozenset(ask.layer for ask in self.on_their_way if ask.key == key),
            )
            for key, station in enumerate(self.stations)
        ]

    def look(self) -> None:
        """What the portal does every few seconds."""
        for key, outlet in self.outlets.items():
            self.outlets[key] = replace(
                outlet, layers={layer: standing.tidy(self.now) for layer, standing in outlet.layers.items()}
            )
        found = verdicts(
            self.now,
            self.places(),
            limit=self.schedule.least(self.now, self.now + AHEAD),
            lowest=self.schedule.lowest,
            phases=PHASES,
            turn=int(self.now.timestamp() // TURN.total_seconds()),
        )
        changes = [at for at, _ in self.schedule.steps(self.now, self.now + LOWER_FOR)]
        wishes = {key: verdict.wish for key, verdict in found.items() if verdict.wish is not None}
        for ask in plan(self.now, list(self.outlets.values()), wishes, Limits(self.schedule.at, changes)):
            self.write(ask, self.standing(ask).ask(ask.told))
            self.on_their_way.append(ask)

    def standing(self, ask: Ask) -> Standing:
        return self.outlets[ask.key].layer(ask.layer)

    def write(self, ask: Ask, standing: Standing) -> None:
        self.outlets[ask.key] = self.outlets[ask.key].with_layer(ask.layer, standing)

    def answer(self, how: str) -> None:
        """The oldest message: taken, refused, or lost before or after the station followed it."""
        if not self.on_their_way:
            return
        ask = self.on_their_way.pop(0)
        station = self.stations[ask.key]
        if not station.is_there:
            how = "unheard"
        if how in {"taken", "unanswered"} and (ask.layer != Layer.CHARGE or station.car is not None):
            station.layers[ask.layer] = ask.told
        standing = self.standing(ask)
        after = {"taken": standing.accept, "refused": standing.refuse}.get(how, standing.lose)()
        self.write(ask, after)

    def come(self, key: int, phases: frozenset[int]) -> None:
        if self.stations[key].car is None:
            self.stations[key].car = phases

    def go(self, key: int) -> None:
        """The station tells of it, and forgets the profile of the charge, as OCPP has it."""
        if self.stations[key].is_there and not any(ask.key == key for ask in self.on_their_way):
            self.stations[key].car = None
            self.stations[key].layers.pop(Layer.CHARGE, None)
            outlet = self.outlets[key]
            self.outlets[key] = outlet.with_layer(Layer.CHARGE, Standing())

    def wait(self, seconds: int) -> None:
        """Looked at whenever something may change: a profile ends by its station's clock, the limit changes."""
        end = self.now + timedelta(seconds=seconds)
        ends = {
            told.until - station.offset
            for station in self.stations
            for told in station.layers.values()
            if told.until is not None
        }
        moments = {*ends, *(at for at, _ in self.schedule.steps(self.now, end)), end}
        for moment in sorted(moment for moment in moments if self.now <= moment <= end):
            self.now = moment
            self.check()

    def check(self) -> None:
        for phase in PHASES:
            could = [station.could_draw(self.now, phase) for station in self.stations]
            assert sum(could) <= self.schedule.at(self.now), (self.now, phase, could)
            counted = [self.outlets[key].most(self.now, phase) for key in self.outlets]
            assert all(one <= most for one, most in zip(could, counted, strict=True)), (could, counted)


OUTCOMES = ["taken", "taken", "unanswered", "unheard", "refused"]
WAIT = st.tuples(st.just("wait"), st.integers(1, 900), st.none())
LOOK = st.tuples(st.just("look"), st.none(), st.none())
ANSWER = st.tuples(st.sampled_from(OUTCOMES), st.none(), st.none())
ALL = st.tuples(st.just("all"), st.none(), st.none())
COME = st.tuples(st.just("come"), st.integers(0, 3), st.sampled_from([PHASES, frozenset({1}), frozenset({3})]))
GO = st.tuples(st.just("go"), st.integers(0, 3), st.none())
CONNECTION = st.tuples(st.just("connection"), st.integers(0, 3), st.none())
# A look of which each message fares in its own way
ROUND = st.tuples(st.just("round"), st.lists(st.sampled_from(OUTCOMES), min_size=2, max_size=5), st.none())
EVENTS = st.one_of(WAIT, LOOK, ANSWER, ALL, ROUND, ROUND, COME, GO, CONNECTION)
Event = tuple[str, Any, frozenset[int] | None]


def happen(site: MadeUpSite, what: str, which: Any, phases: frozenset[int] | None) -> None:
    key = which % len(site.stations) if isinstance(which, int) else 0
    if what == "wait":
        site.wait(which)
    elif what == "round":
        site.look()
        for number in range(len(site.on_their_way)):
            site.answer(which[number % len(which)])
            site.check()
    elif what == "look":
        site.look()
    elif what == "all":  # the usual: everybody answers at once, and the portal looks until all is said
        for _ in range(4):
            site.look()
            while site.on_their_way:
                site.answer("taken")
                site.check()
    elif what == "come":
        site.come(key, phases or PHASES)
    elif what == "go":
        site.go(key)
    elif what == "connection":
        site.stations[key].is_there = not site.stations[key].is_there
    else:
        site.answer(what)
    site.check()


@st.composite
def sites(draw: st.DrawFn) -> MadeUpSite:
    """Outlets that have their fallback already, at a site whose limit changes while it is looked at."""
    count = draw(st.integers(2, 4))
    low = draw(st.integers(6 * count, 40))
    evening = Period(frozenset(range(1, 8)), time(2, 30), time(4), low)
    schedule = Schedule(draw(st.integers(low, 63)), ZoneInfo("Europe/Berlin"), (evening,))
    offsets = st.integers(-59, 59).map(lambda seconds: timedelta(seconds=seconds))
    fallback = {Layer.FALLBACK: Told(low // count)}
    return MadeUpSite(schedule, [MadeUp(32, draw(offsets), dict(fallback)) for _ in range(count)])


@settings(max_examples=200)
@given(sites(), st.lists(EVENTS, min_size=5, max_size=40))
def test_the_limit_holds_at_every_moment(site: MadeUpSite, events: list[Event]) -> None:
    site.come(0, PHASES)
    happen(site, "all", None, None)
    for event in events:
        happen(site, *event)
    site.wait(3600)


def drawn(site: MadeUpSite) -> list[int]:
    return [station.could_draw(site.now, 1) for station in site.stations]


def the_usual(site: MadeUpSite, seconds: int = 0) -> None:
    for _ in range(seconds // 10 + 1):
        happen(site, "all", None, None)
        if seconds:
            site.wait(10)


def made_up(count: int, limit: int) -> MadeUpSite:
    fallback = Told(limit // count)
    stations = [MadeUp(32, timedelta(), {Layer.FALLBACK: fallback}) for _ in range(count)]
    return MadeUpSite(Schedule(limit, ZoneInfo("UTC")), stations)


def test_one_car_alone_gets_all_and_gives_back_when_another_comes() -> None:
    site = made_up(4, 32)
    site.come(0, PHASES)
    the_usual(site)
    assert drawn(site) == [32, 0, 0, 0]
    the_usual(site, 3600)  # renewed before it ends
    assert drawn(site) == [32, 0, 0, 0]
    site.come(2, PHASES)
    the_usual(site)
    assert drawn(site) == [16, 0, 16, 0]
    site.go(0)
    the_usual(site)
    assert drawn(site) == [0, 0, 32, 0]
    site.go(2)
    the_usual(site)
    assert drawn(site) == [8, 8, 8, 8]


def test_without_the_portal_everybody_comes_to_the_fallback() -> None:
    site = made_up(4, 32)
    site.come(0, PHASES)
    the_usual(site)
    for station in site.stations:
        station.is_there = False
    site.wait(3600)
    assert drawn(site) == [8, 8, 8, 8]


def test_who_does_not_answer_keeps_its_part() -> None:
    site = made_up(2, 32)
    site.come(0, PHASES)
    the_usual(site)
    assert drawn(site) == [32, 0]
    site.come(1, PHASES)
    site.look()
    for _ in range(len(site.on_their_way)):
        site.answer("unheard")
    site.look()
    assert drawn(site)[1] == 0 and not any(ask.key == 1 and ask.told.amperes > 0 for ask in site.on_their_way)


def test_a_limit_that_falls_is_kept_by_those_who_hear_nothing_any_more() -> None:
    """Told five minutes before, and never again."""
    evening = Period(frozenset(range(1, 8)), time(2, 30), time(4), 16)  # at 01:00 UTC clocks jump to 03:00
    stations = [MadeUp(32, timedelta(seconds=second), {Layer.FALLBACK: Told(8)}) for second in (-50, 50)]
    site = MadeUpSite(Schedule(40, ZoneInfo("Europe/Berlin"), (evening,)), stations)
    site.now = datetime(2026, 3, 29, 0, 55, tzinfo=UTC)
    site.come(0, PHASES)
    site.come(1, PHASES)
    the_usual(site)
    assert drawn(site) == [20, 20]
    site.wait(900)
    assert drawn(site) == [8, 8]
