"""Tariffs and charges by chance, such that much of a tariff begins or ends to hold within a charge of a minute."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from stations.tariffs.usage import Reading, State, Usage

# Moments around which to charge, and where: clocks are set, days, months and years end, nothing happens.
MOMENTS = [
    ("2026-03-29T01:00:00", "Europe/Berlin"),
    ("2026-10-25T01:00:00", "Europe/Berlin"),
    ("2026-10-25T00:00:00", "Europe/Berlin"),
    ("2026-10-25T01:15:00", "Europe/Berlin"),  # 02:15 for the second time
    ("2026-12-31T23:00:00", "Europe/Berlin"),
    ("2026-04-04T15:00:00", "Australia/Lord_Howe"),
    ("2026-10-03T15:30:00", "Australia/Lord_Howe"),
    ("2026-11-01T06:00:00", "America/New_York"),
    ("2026-05-31T18:30:00", "Asia/Kolkata"),
    ("2026-02-28T12:34:00", "UTC"),
]
PRICES = ["0", "0.01", "0.2549", "0.49", "1", "2.5", "12.3456"]
DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


def _component(chance: random.Random, kind: str) -> dict[str, Any]:
    step = chance.choice([1, 1, 1, 7, 60, 100])
    vat = chance.choice([{}, {"vat": "19"}, {"vat": "7"}, {"vat": "5.5"}])
    return {"type": kind, "price": chance.choice(PRICES), **vat, "step_size": step}


def _pair(chance: random.Random, name: str, values: list[Any]) -> dict[str, Any]:
    """A least value, a greatest one, or both."""
    least, most = sorted(chance.sample(values, 2))
    said = {f"min_{name}": least, f"max_{name}": most}
    return {key: said[key] for key in chance.choice([list(said), list(said)[:1], list(said)[1:]])}


def _restrictions(chance: random.Random, around: datetime) -> dict[str, Any]:
    near = [(around + timedelta(minutes=minutes)) for minutes in (-61, -60, -1, 0, 0, 1, 30, 60)]
    found: dict[str, Any] = {}
    for what in chance.sample(
        ["clock", "date", "kwh", "current", "power", "duration", "day"], chance.choice([0, 1, 1, 2])
    ):
        if what == "clock":
            clocks = {"start_time": chance.choice(near), "end_time": chance.choice([*near, None])}
            found |= {name: "00:00" if at is None else f"{at:%H:%M}" for name, at in clocks.items()}
            if chance.random() < 0.3:
                found.pop(chance.choice(["start_time", "end_time"]))
        elif what == "date":
            day = around.date() + timedelta(days=chance.choice([0, 1]))
            found[chance.choice(["start_date", "end_date"])] = day.isoformat()
        elif what == "kwh":
            found |= _pair(chance, "kwh", [0, 0.001, 0.05, 0.1, 0.5, 1, 2])
        elif what == "current":
            found |= _pair(chance, "current", [0, 6, 16, 16.5, 32, 63])
        elif what == "power":
            found |= _pair(chance, "power", [0, 1.4, 3.7, 11, 22, 50])
        elif what == "duration":
            found |= _pair(chance, "duration", [0, 1, 20, 60, 61, 90])
        else:
            found["day_of_week"] = sorted(chance.sample(DAYS, 3), key=DAYS.index)
    return found


def tariff(chance: random.Random, around: datetime) -> dict[str, Any]:
    elements = []
    for _ in range(chance.randint(1, 5)):
        kinds = chance.sample(["ENERGY", "TIME", "PARKING_TIME", "FLAT"], chance.randint(1, 3))
        limits = _restrictions(chance, around)
        parts = [_component(chance, kind) for kind in kinds]
        elements.append({"price_components": parts} | ({"restrictions": limits} if limits else {}))
    found: dict[str, Any] = {
        "id": "T",
        "currency": chance.choice(["EUR", "EUR", "JPY", "KWD"]),
        "vat_included": "YES",
        "elements": elements,
    }
    if chance.random() < 0.2:
        found["min_price"] = {"incl_vat": chance.choice(["0.5", "3"])}
    if chance.random() < 0.2:
        found["max_price"] = {"incl_vat": chance.choice(["3", "5.5"])}
    return found


def usage(chance: random.Random, start: datetime, zone: str, seconds: int) -> Usage:
    """Readings now and then in any order, with what a station may say of power, current and states."""
    total = chance.choice([0, 1, chance.randint(0, 30), chance.randint(0, 3000)])
    readings, register = [], 0
    for second in sorted(chance.sample(range(-2, seconds + 3), min(chance.randint(0, 6), seconds + 4))):
        if chance.random() < 0.8:
            register = min(total + 1, register + chance.choice([0, 0, total // 4, total // 3]))
        power = (
            Decimal(chance.choice(["0", "1400", "3700.5", "11000", "22000.0005"])) if chance.random() < 0.4 else None
        )
        current = Decimal(chance.choice(["0", "6", "16.5", "32", "48.0001"])) if chance.random() < 0.4 else None
        moment = start + timedelta(seconds=second, milliseconds=chance.choice([0, 0, 999]))
        readings.append(Reading(moment, chance.choice([register, register, None]), power, current))
    chance.shuffle(readings)
    states = [
        State(start + timedelta(seconds=chance.randint(-1, seconds)), chance.random() < 0.5)
        for _ in range(chance.choice([0, 0, 1, 3]))
    ]
    return Usage(start, start + timedelta(seconds=seconds), total, readings, states, zone)


def case(chance: random.Random, longest: int = 100) -> tuple[dict[str, Any], Usage]:
    """A tariff and a charge."""
    text, zone = chance.choice(MOMENTS)
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    seconds = chance.choice([0, 1, chance.randint(0, longest), chance.randint(0, longest)])
    start = moment - timedelta(seconds=chance.randint(0, longest))
    return tariff(chance, moment.astimezone(ZoneInfo(zone))), usage(chance, start, zone, seconds)
