"""The engine against a second computation of the same, over random tariffs and charges."""

import random
from typing import Any

import pytest

from stations.tariffs.engine import price
from stations.tariffs.usage import Usage
from tests.stations.tariffs import chance, slow

CASES, PARTS = 10_000, 4


def agree(snapshot: dict[str, Any], usage: Usage) -> None:
    counted, total = slow.cost(snapshot, usage)
    bill = price(snapshot, usage)
    ours = {(line.element, line.kind): line.quantity for line in bill.lines if line.element is not None}
    said = (snapshot, usage)
    assert {key: quantity for key, quantity in ours.items() if quantity} == counted, said
    assert bill.total_minor == total == sum(line.amount_minor for line in bill.lines), said


@pytest.mark.parametrize("part", range(PARTS))
def test_ten_thousand_random_charges_cost_the_same(part: int) -> None:
    """Of up to a minute or so each, at moments when clocks are set and days end."""
    numbers = random.Random(f"tariffs {part}")
    for _ in range(CASES // PARTS):
        agree(*chance.case(numbers, longest=60))


def test_a_few_long_ones() -> None:
    """Over hours, with the night in which an hour comes twice."""
    numbers = random.Random("long")
    for _ in range(6):
        agree(*chance.case(numbers, longest=20_000))
