"""Shares of a limit: each phase within it, nobody between 0 and 6 A, the same for all who can use it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.load.sharing import MINIMUM, PHASES, Car, in_turn, shares

LINES = [PHASES, frozenset({1}), frozenset({2}), frozenset({3})]


@st.composite
def cars(draw: st.DrawFn, at_most: int = 12) -> list[Car]:
    count = draw(st.integers(0, at_most))
    return [
        Car(key, draw(st.integers(0, 80)), draw(st.sampled_from(LINES)), draw(st.booleans())) for key in range(count)
    ]


def room_of(limit: int) -> dict[int, int]:
    return dict.fromkeys(PHASES, limit)


def sums(found: dict[int, int], cars: Sequence[Car]) -> dict[int, int]:
    return {phase: sum(found[car.key] for car in cars if phase in car.phases) for phase in PHASES}


@given(cars(), st.tuples(*[st.integers(-20, 200)] * 3), st.integers(0, 10**9))
def test_no_phase_is_over_the_limit_and_nobody_between_0_and_6(
    some: list[Car], limits: tuple[int, int, int], turn: int
) -> None:
    room = dict(zip(sorted(PHASES), limits, strict=True))
    found = shares(room, some, turn=turn)
    assert found.keys() == {car.key for car in some}
    for phase, total in sums(found, some).items():
        assert total <= max(room[phase], 0)
    for car in some:
        assert found[car.key] == 0 or MINIMUM <= found[car.key] <= car.most
    assert found == shares(dict(room), list(some), turn=turn)


@given(cars(), st.integers(0, 150), st.integers(1, 50), st.integers(0, 20))
def test_a_higher_limit_stops_nobody_and_lowers_nobody_while_the_same_charge(
    some: list[Car], limit: int, more: int, turn: int
) -> None:
    low, high = shares(room_of(limit), some, turn=turn), shares(room_of(limit + more), some, turn=turn)
    charging = {key for key, amperes in low.items() if amperes}
    assert charging <= {key for key, amperes in high.items() if amperes}
    if charging == {key for key, amperes in high.items() if amperes}:
        assert all(high[key] >= amperes for key, amperes in low.items())


@given(cars(), st.integers(0, 200))
def test_nothing_is_kept_from_those_who_could_use_it(some: list[Car], limit: int) -> None:
    """Whoever has less than its car can use has as much as each other on some phase that is full but for a rest."""
    found = shares(room_of(limit), some)
    charging = [car for car in some if found[car.key]]
    total = sums(found, some)
    for car in charging:
        if found[car.key] < car.most:
            assert any(
                limit - total[phase] < sum(phase in other.phases for other in charging)
                and all(found[other.key] <= found[car.key] for other in charging if phase in other.phases)
                for phase in car.phases
            )


@given(st.integers(1, 10), st.integers(0, 10), st.integers(0, 1000))
def test_turns_are_fair(count: int, fit: int, first: int) -> None:
    """Over as many turns as there are cars each charges as often as every other."""
    some = [Car(key, 32) for key in range(count)]
    turns = [shares(room_of(fit * MINIMUM), some, turn=first + turn) for turn in range(count)]
    assert {sum(bool(found[car.key]) for found in turns) for car in some} == {min(count, fit)}


def test_what_one_does_not_use_the_others_get() -> None:
    found = shares(room_of(32), [Car(1, 32), Car(2, 8), Car(3, 32)])
    assert found == {1: 12, 2: 8, 3: 12}


def test_equal_shares_leave_a_rest_rather_than_favour_one() -> None:
    assert shares(room_of(32), [Car(key, 32) for key in range(3)]) == {0: 10, 1: 10, 2: 10}


def test_cars_on_one_phase_leave_the_others_to_the_rest() -> None:
    first, second, whole = Car(1, 32, frozenset({1})), Car(2, 32, frozenset({2})), Car(3, 16)
    assert shares(room_of(32), [first, second, whole]) == {1: 16, 2: 16, 3: 16}
    assert shares(room_of(32), [first, second]) == {1: 32, 2: 32}


def test_who_took_nothing_comes_last() -> None:
    full, hungry = Car(1, 6, took_nothing=True), Car(2, 32)
    assert [car.key for car in in_turn([full, hungry], 7)] == [2, 1]
    assert shares(room_of(10), [full, hungry], turn=0) == {1: 0, 2: 10}


@pytest.mark.parametrize("limit", [-5, 0, 5])
def test_below_the_minimum_nobody_charges(limit: int) -> None:
    assert shares(room_of(limit), [Car(1, 32), Car(2, 32)]) == {1: 0, 2: 0}
