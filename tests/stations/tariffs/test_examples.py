"""OCPI's examples cost what OCPI's text works out, and docs/tariffs.md shows how."""

from decimal import Decimal
from pathlib import Path

import pytest

from stations.tariffs.engine import price
from stations.tariffs.lines import CostLine
from tests.stations.tariffs.examples import EXAMPLES, Example

PAGE = Path(__file__).parents[3] / "docs" / "tariffs.md"
NAMES = {"ENERGY": "energy", "TIME": "charging", "PARKING_TIME": "parking", "FLAT": "fee"}
LIMITS = {"MIN_PRICE": "least price", "MAX_PRICE": "greatest price"}


def cents(amount: int | None) -> str:
    return f"{Decimal(amount or 0).scaleb(-2):.2f}"


def working(line: CostLine) -> str:
    """How one line comes about, without VAT, as the table has it."""
    if line.kind in LIMITS:
        return f"{LIMITS[line.kind]} {cents(line.net_minor)}"
    name = ("reservation " if line.reservation else "") + NAMES[line.kind]
    if line.kind == "FLAT":
        return f"{name} {line.price:.2f}"
    per = "kWh" if line.kind == "ENERGY" else "h"
    scale = 1000 if line.kind == "ENERGY" else 60
    unit = "kWh" if line.kind == "ENERGY" else "min"
    instead = "" if line.used is None else f" ({line.used / scale:g})"
    return f"{name} {line.quantity / scale:g}{instead} {unit} × {line.price:.2f}/{per} = {cents(line.net_minor)}"


def row(example: Example) -> str:
    bill = price(example.snapshot, example.usage)
    lines = "; ".join(working(line) for line in bill.lines)
    remark = example.said or "same"
    return f"| {example.title} | {lines} | {cents(bill.net_minor)} | {cents(bill.total_minor)} | {remark} |"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_it_costs_what_ocpis_text_says(example: Example) -> None:
    bill = price(example.snapshot, example.usage)
    assert (cents(bill.net_minor), cents(bill.total_minor)) == (example.net, example.gross)
    assert sum(line.amount_minor for line in bill.lines) == bill.total_minor
    assert sum(part.gross_minor for part in bill.parts) == bill.total_minor


def test_the_page_shows_the_working() -> None:
    """Each line of its table as the engine gives it today."""
    text = PAGE.read_text()
    missing = [line for line in map(row, EXAMPLES) if line not in text]
    assert not missing, "\n".join(missing)
