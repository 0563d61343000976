"""price_12h_ms: milliseconds to price a charge of 12 hours with a sample a minute under a tariff of 20 elements.

Method: elements by clock, energy, power, and duration with days, five of each, each with prices for energy, charging
and parking time. The samples have register, power and current that change every minute; for the last two hours the
register stands still. A sample is the CPU time of one price(snapshot, usage), from the snapshot as a session keeps it
to the bill, in a process that has done so before.
"""

import time
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.stage import Measured, options, perform
from stations.tariffs.engine import price
from stations.tariffs.shape import elements_text
from stations.tariffs.usage import Reading, Usage

MINUTES, FLOWING = 720, 600
WARM_UP = 10


def restrictions(number: int) -> dict[str, Any]:
    """Of the element with this number, 0 to 19."""
    return (
        {"start_time": f"{number:02}:00", "end_time": f"{(number + 3) % 24:02}:30"},
        {"min_kwh": number, "max_kwh": number + 8},
        {"min_power": Decimal(number) / 2, "max_power": number},
        {"min_duration": 1_000 * number, "day_of_week": ["MONDAY", "TUESDAY"]},
    )[number % 4]


def tariff() -> dict[str, Any]:
    """As a session keeps it."""
    prices = [("ENERGY", "0.2549", 1), ("TIME", "1.2", 60), ("PARKING_TIME", "2.5", 300)]
    parts = [{"type": kind, "price": price, "vat": "19", "step_size": step} for kind, price, step in prices]
    elements = [{"price_components": parts, "restrictions": restrictions(number)} for number in range(20)]
    head = {"id": "BENCH", "name": "Bench", "currency": "EUR", "vat_included": "YES"}
    return head | {"elements": elements_text(elements)}


def charge() -> Usage:
    start, register = datetime(2026, 11, 30, 8, 30, tzinfo=UTC), 0
    readings = []
    for minute in range(MINUTES):
        power = 3_000 + minute * 977 % 8_000 if minute < FLOWING else 0
        readings.append(Reading(start + timedelta(minutes=minute), register, Decimal(power), Decimal(power) / 230))
        register += power // 60
    return Usage(start, start + timedelta(minutes=MINUTES), register, readings, (), "Europe/Berlin")


def measure(chosen: Namespace, _: Path) -> Measured:
    snapshot, usage, samples = tariff(), charge(), []
    lines = len(price(snapshot, usage).lines)
    for number in range(WARM_UP + chosen.count):
        begun = time.process_time()
        price(snapshot, usage)
        if number >= WARM_UP:
            samples.append(1_000 * (time.process_time() - begun))
    return samples, {"lines": lines}


if __name__ == "__main__":
    perform(options(__doc__, count=200, what="times"), measure)
