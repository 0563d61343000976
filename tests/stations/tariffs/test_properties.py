"""What holds of every tariff and every charge."""

import itertools
import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.tariffs.engine import price
from stations.tariffs.lines import lines_kept, lines_read
from stations.tariffs.shape import TariffError, elements_read, elements_text, shape_read
from stations.tariffs.usage import Reading, Usage, pieces
from tests.stations.tariffs import chance
from tests.stations.tariffs.examples import at

cases = st.integers(0, 2**32).map(lambda seed: chance.case(random.Random(seed)))
vat = st.sampled_from(["YES", "NO"])


@given(cases, vat)
def test_it_is_never_negative_and_the_lines_are_the_total(case: tuple[dict[str, Any], Usage], included: str) -> None:
    snapshot, usage = case
    bill = price(snapshot | {"vat_included": included}, usage)
    assert bill.total_minor == sum(line.amount_minor for line in bill.lines) >= 0
    assert sum(part.gross_minor for part in bill.parts) == bill.total_minor
    assert 0 <= bill.net_minor <= bill.total_minor
    for line in bill.lines:
        assert all(type(value) is int for value in (line.quantity, line.amount_minor))
        assert line.amount_minor >= 0 or line.kind == "MAX_PRICE"


@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(case: tuple[dict[str, Any], Usage], order: random.Random) -> None:
    snapshot, usage = case
    readings, states = list(usage.readings), list(usage.states)
    order.shuffle(readings)
    order.shuffle(states)
    again = readings + readings[:1]  # told twice
    assert price(snapshot, replace(usage, readings=again, states=states)) == price(snapshot, usage)


@given(cases, st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 99))
def test_dividing_a_period_changes_nothing(
    case: tuple[dict[str, Any], Usage], each: int, minutes: int, cut: int
) -> None:
    """A further reading where the register stood anyway: at a second at which it shows whole watt-hours."""
    snapshot, usage = case
    start, length = usage.started_at, 60 * minutes
    energy = (each % 50) * length  # so many Wh a second
    whole = replace(usage, stopped_at=start + timedelta(seconds=length), energy_wh=energy, readings=(), states=())
    second = length * cut // 100
    divided = replace(whole, readings=(Reading(start + timedelta(seconds=second), second * (each % 50)),))
    assert price(snapshot, divided) == price(snapshot, whole)


@given(cases)
def test_a_charge_is_cut_without_a_gap(case: tuple[dict[str, Any], Usage]) -> None:
    _, usage = case
    found, energy = pieces(usage), 0
    for before, after in itertools.pairwise(found):
        assert before.end == after.start and before.energy_at(before.end) == after.energy_at(after.start)
    for piece in found:
        assert piece.start < piece.end and piece.energy_at(piece.end) >= piece.energy_at(piece.start) >= energy
        energy = piece.energy_at(piece.end)
    assert not found or energy == usage.energy_wh


@given(cases, vat)
def test_what_is_kept_is_read_again(case: tuple[dict[str, Any], Usage], included: str) -> None:
    bill = price(case[0] | {"vat_included": included}, case[1])
    kept = lines_kept(bill.lines)
    assert lines_read(kept) == bill.lines
    assert all(isinstance(value, (int, str)) for line in kept for value in line.values())
    given_back = lines_read(lines_kept(bill.lines, negative=True))
    assert sum(line.amount_minor for line in given_back) == -bill.total_minor


@settings(max_examples=50)
@given(cases)
def test_a_tariff_is_written_in_one_way(case: tuple[dict[str, Any], Usage]) -> None:
    written = elements_text(case[0]["elements"])
    assert elements_text(written) == written
    assert elements_read(written) == elements_read(case[0]["elements"])


# --- The shape of a tariff


ENERGY = {"type": "ENERGY", "price": "0.3", "step_size": 1}


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ([], "elements: expected a list of 1 to 100 elements"),
        ({}, "elements: expected a list"),
        ([{}], r"elements\[0\]: expected at least one price component"),
        ([{"price_components": [ENERGY], "colour": 1}], r"elements\[0\]: colour is not known here; known are price_c"),
        ([{"price_components": [{**ENERGY, "prize": 1}]}], r"elements\[0\].price_components\[0\]: prize is not known"),
        ([{"price_components": [{**ENERGY, "price": -1}]}], r"\[0\].price: expected a number from 0 to .*, got -1"),
        ([{"price_components": [{**ENERGY, "price": 0.00001}]}], "at most 4 decimals, got 1e-05"),
        ([{"price_components": [{**ENERGY, "price": True}]}], "got True"),
        ([{"price_components": [{**ENERGY, "price": "NaN"}]}], "got 'NaN'"),
        ([{"price_components": [{**ENERGY, "step_size": 0}]}], "step_size: expected a whole number from 1 to"),
        ([{"price_components": [{**ENERGY, "step_size": 1.5}]}], "step_size: expected a whole number"),
        ([{"price_components": [{**ENERGY, "type": "HEAT"}]}], "type: expected FLAT ENERGY TIME PARKING_TIME, got 'HE"),
        ([{"price_components": [ENERGY, ENERGY]}], r"elements\[0\]: ENERGY is priced twice"),
        ([{"price_components": [ENERGY], "restrictions": {"min_kw": 1}}], "restrictions: min_kw is not known here"),
        (
            [{"price_components": [ENERGY], "restrictions": {"start_time": "24:00"}}],
            "a time such as 07:30, got '24:00'",
        ),
        ([{"price_components": [ENERGY], "restrictions": {"start_date": "2026-2-1"}}], "a date such as 2026-12-24"),
        ([{"price_components": [ENERGY], "restrictions": {"day_of_week": ["Monday"]}}], "a list of days such as MON"),
        ([{"price_components": [ENERGY], "restrictions": {"min_kwh": 5, "max_kwh": 5}}], "so it never holds"),
        (
            [{"price_components": [ENERGY], "restrictions": {"reservation": "RESERVATION"}}],
            "by FLAT and TIME, not by EN",
        ),
        (
            [{"price_components": [ENERGY], "restrictions": {"reservation": "SOON"}}],
            "expected RESERVATION, RESERVATION",
        ),
    ],
)
def test_what_is_no_tariff_is_refused(elements: Any, expected: str) -> None:
    with pytest.raises(TariffError, match=expected):
        elements_read(elements)


@pytest.mark.parametrize("changes", [{"vat_included": "MAYBE"}, {"currency": None}, {"min_price": {"gross": 1}}])
def test_what_is_around_the_elements_is_strict_too(changes: dict[str, Any]) -> None:
    with pytest.raises(TariffError):
        shape_read({"currency": "EUR", "elements": [{"price_components": [ENERGY]}], **changes})


def test_a_float_is_taken_by_its_text() -> None:
    limits = {"max_kwh": 20.5, "min_power": 3.7, "day_of_week": ["SUNDAY", "MONDAY"]}
    elements = [
        {"price_components": [{"type": "ENERGY", "price": 0.1, "vat": 19.0, "step_size": 1}], "restrictions": limits}
    ]
    assert elements_text(elements) == [
        {
            "price_components": [{"type": "ENERGY", "price": "0.1", "vat": "19", "step_size": 1}],
            "restrictions": {"max_kwh": "20.5", "min_power": "3.7", "day_of_week": ["MONDAY", "SUNDAY"]},
        }
    ]


def test_a_plain_tariff_has_a_bill_as_ever() -> None:
    plain = {"id": "T", "name": "Plain", "currency": "EUR", "price_per_kwh": "0.2549", "price_per_session": "1"}
    bill = price(plain | {"vat_percent": "19"}, Usage(at("10:00"), at("11:00"), 7_780))
    assert [line.amount_minor for line in bill.lines] == [198, 100]
    assert (bill.total_minor, bill.vat_percent, bill.net_minor, bill.tariff_name) == (298, Decimal(19), 250, "Plain")
