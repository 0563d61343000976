"""OCPI's own examples of tariffs, and what its text (2.2.1, chapters CDRs and Tariffs) says that charges cost."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from stations.tariffs.usage import Reading, Reservation, State, Usage

OCPI = Path(__file__).parent / "ocpi"


def from_file(name: str) -> dict[str, Any]:
    """An example tariff as OCPI publishes it, its numbers exact."""
    tariff: dict[str, Any] = json.loads((OCPI / f"tariff_{name}.json").read_text(), parse_float=Decimal)
    return tariff


def component(kind: str, price: str, vat: str | None = None, step_size: int = 1) -> dict[str, Any]:
    return {"type": kind, "price": price, "step_size": step_size} | ({} if vat is None else {"vat": vat})


def tariff(*elements: tuple[list[dict[str, Any]], Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Of elements (components, restrictions), VAT excluded as in OCPI."""
    said = [{"price_components": parts} | ({"restrictions": dict(of)} if of else {}) for parts, of in elements]
    return {"currency": "EUR", "elements": said, **more}


def at(clock: str, day: str = "2026-11-30") -> datetime:
    """UTC; 2026-11-30 is a Monday."""
    return datetime.fromisoformat(f"{day}T{clock}:00").replace(tzinfo=UTC)


def charge(
    start: datetime, minutes: int, energy_wh: int, parked: int = 0, current: int | None = None, minutes_kept: int = 0
) -> Usage:
    """It charges evenly for some minutes, then is parked; `minutes_kept`: it was reserved so long before."""
    full = start + timedelta(minutes=minutes)
    amps = None if current is None else Decimal(current)
    return Usage(
        start,
        full + timedelta(minutes=parked),
        energy_wh,
        (Reading(start, 0, None, amps), Reading(full, energy_wh)),
        (State(start, True), State(full, False)) if parked else (),
        reservation=Reservation(start - timedelta(minutes=minutes_kept), start) if minutes_kept else None,
    )


@dataclass(frozen=True)
class Example:
    """`net` and `gross`: what OCPI's text works out, without and with VAT."""

    title: str
    snapshot: dict[str, Any]
    usage: Usage
    net: str
    gross: str
    said: str = ""  # where OCPI's text has another figure, and why


_START = at("10:00")
_SESSION = [component("FLAT", "0.50", "20"), component("ENERGY", "0.25", "10")]
_KWH_20, _KWH_50, _KWH_30 = (charge(_START, 120, wh) for wh in (20_000, 50_000, 30_000))
_STEPS, _COMPLEX = from_file("14_step_size"), from_file("4_complex")
_RESERVED = {"reservation": "RESERVATION"}
_EXPIRES = {"reservation": "RESERVATION_EXPIRES"}
_FEE_17 = tariff(
    ([component("FLAT", "4", "20")], _EXPIRES), ([component("TIME", "2", "20", 600)], _RESERVED), (_SESSION, {})
)
_FEE_18 = tariff(
    ([component("TIME", "6", "20", 600)], _EXPIRES), ([component("TIME", "3", "20", 600)], _RESERVED), (_SESSION, {})
)
_POWERS = tariff(
    ([component("ENERGY", "0.20", "20")], {"max_power": 16}),
    ([component("ENERGY", "0.35", "20")], {"max_power": 32}),
    ([component("ENERGY", "0.50", "20")], {}),
)
_DURATIONS = tariff(
    ([component("ENERGY", "0", "20")], {"max_duration": 1800}),
    ([component("ENERGY", "0.25", "20")], {"max_duration": 3600}),
    ([component("ENERGY", "0.40", "20")], {}),
)


def _expired(minutes: int) -> Usage:
    return Usage(_START, _START, 0, reservation=Reservation(_START - timedelta(minutes=minutes), _START, expired=True))


def _readings(*said: tuple[int, int], minutes: int, energy_wh: int) -> Usage:
    """Of (seconds since the start, Wh)."""
    found = tuple(Reading(_START + timedelta(seconds=seconds), wh) for seconds, wh in said)
    return Usage(_START, _START + timedelta(minutes=minutes), energy_wh, found)


EXAMPLES = [
    Example("0.25 a kWh, 20 kWh", from_file("8_simple_025kwh"), _KWH_20, "5.00", "5.50"),
    Example("0.25 a kWh and a start fee, 20 kWh", tariff((_SESSION, {})), _KWH_20, "5.50", "6.10"),
    Example("At least 0.50, 20 kWh", from_file("12_025kwh_min_price"), _KWH_20, "5.00", "5.50"),
    Example("At least 0.50, 1.9 kWh", from_file("12_025kwh_min_price"), charge(_START, 20, 1_900), "0.50", "0.55"),
    Example(
        "Start, energy, and parking by 15 min; 20 kWh, parked 40 min",
        tariff(([*_SESSION, component("PARKING_TIME", "2", "20", 900)], {})),
        charge(_START, 120, 20_000, parked=40),
        "7.00",
        "7.90",
    ),
    Example("At most 10.00, 50 kWh", from_file("6_025kwh_start_max_price"), _KWH_50, "10.00", "11.00"),
    Example("At most 10.00, 30 kWh", from_file("6_025kwh_start_max_price"), _KWH_30, "8.00", "8.85"),
    Example("2.00 an hour, 2.5 hours", from_file("1_simple_2hour"), charge(_START, 150, 20_000), "5.00", "5.50"),
    Example(
        "OCPI's CDR: 2.00 an hour by 5 min, 118 min 23 s",
        tariff(([component("TIME", "2", "10", 300)], {})),
        Usage(_START, _START + timedelta(seconds=7_103), 15_342),
        "4.00",
        "4.40",
    ),
    Example(
        "3.00 an hour, parking 5.00 by 5 min; 150 min, parked 42 min",
        tariff(([component("TIME", "3", "10", 60), component("PARKING_TIME", "5", "20", 300)], {})),
        charge(_START, 150, 20_000, parked=42),
        "11.25",
        "12.75",
    ),
    Example(
        "1.90 an hour by 5 min, 2.5 hours",
        tariff(([component("TIME", "1.9", "5.2", 300)], {})),
        charge(_START, 150, 20_000),
        "4.75",
        "5.00",
    ),
    Example(
        "Complex, Monday 165 min at 16 A, parked 42 min",
        _COMPLEX,
        charge(at("09:30"), 165, 9_000, 42, 16),
        "9.00",
        "10.30",
    ),
    Example(
        "Complex, Saturday 114 min at 43 A, parked 71 min",
        _COMPLEX,
        charge(at("13:30", "2026-11-28"), 114, 18_000, 71, 43),
        "12.38",
        "13.98",
        said="12.28, 13.861: it takes 114 min at 1.25 an hour for 2.28, which are 2.375",
    ),
    Example("Steps 1: 16:55, 10 min, parked 2 min", _STEPS, charge(at("16:55"), 10, 2_000, 2), "0.55", "0.55"),
    Example("Steps 2: 16:35, 35 min", _STEPS, charge(at("16:35"), 35, 5_000), "1.30", "1.30"),
    Example(
        "Steps 3: 19:40, 12 min, parked 20 min, free from 20:00",
        _STEPS,
        charge(at("19:40"), 12, 2_000, 20),
        "0.73",
        "0.73",
        said="0.80: it takes 1.20 and 2.40 an hour, where its tariff has 2.40 for charging and 1.00 for parking",
    ),
    Example(
        "Reserved 15 min before, 20 kWh",
        tariff(([component("TIME", "5", "20", 60)], _RESERVED), (_SESSION, {})),
        charge(_START, 120, 20_000, minutes_kept=15),
        "6.75",
        "7.60",
    ),
    Example(
        "Reserved for a fee, by 5 min; 13 min before, 20 kWh",
        tariff(([component("FLAT", "2", "20"), component("TIME", "5", "20", 300)], _RESERVED), (_SESSION, {})),
        charge(_START, 120, 20_000, minutes_kept=13),
        "8.75",
        "10.00",
    ),
    Example(
        "Expiry fee, reserved 22 min before", _FEE_17, charge(_START, 120, 20_000, minutes_kept=22), "6.50", "7.30"
    ),
    Example("Expiry fee, reserved an hour, nobody came", _FEE_17, _expired(60), "6.00", "7.20"),
    Example(
        "Expiry time, reserved 22 min before", _FEE_18, charge(_START, 120, 20_000, minutes_kept=22), "7.00", "7.90"
    ),
    Example("Expiry time, reserved 90 min, nobody came", _FEE_18, _expired(90), "9.00", "10.80"),
    Example(
        "By power: 1 kWh at 6 kW, 40 kWh at 48 kW, 0.5 kWh at 4 kW",
        _POWERS,
        _readings((600, 1_000), (3_600, 41_000), minutes=68, energy_wh=41_500),
        "20.30",
        "24.36",
    ),
    Example(
        "By duration: 5 kWh in 30 min, 1.2 kWh in the next 10",
        _DURATIONS,
        _readings((1_800, 5_000), minutes=40, energy_wh=6_200),
        "0.30",
        "0.36",
    ),
]
