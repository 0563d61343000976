"""PURE: what a charge costs under the tariff that it was promised, line by line.

A tariff is its snapshot, as a session keeps it from its start: integers as text, so that it can be recorded.

    {"id": "STANDARD", "name": "Standard", "currency": "EUR",
     "price_per_kwh": "0.2549", "price_per_session": "1", "vat_percent": "19"}

Prices are what the driver pays, VAT included, in units of the currency. `vat_percent` is left out where no VAT
applies. Each line is rounded half up to whole minor units, and the total is the sum of the lines: what a driver adds
up by hand is what they pay. The price per session is due for every completed session, whatever it charged.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from stations.tariffs.currencies import minor_digits
from stations.tariffs.lines import ENERGY, FLAT, CostLine, lines_read, total_minor

if TYPE_CHECKING:
    from stations.models import ChargingSession

__all__ = [
    "ENERGY",
    "FLAT",
    "CostLine",
    "cost_lines",
    "cost_of",
    "minor_units",
    "session_cost_lines",
    "total_minor",
    "units",
]


def cost_lines(tariff: Mapping[str, Any], *, energy_wh: int) -> list[CostLine]:
    """The lines of a completed charge: its energy, and the price per session where there is one."""
    if energy_wh < 0:
        raise ValueError(f"expected energy of at least 0 Wh, got {energy_wh}")
    currency = str(tariff["currency"])
    per_kwh, per_session = Decimal(tariff["price_per_kwh"]), Decimal(tariff["price_per_session"])
    lines = [CostLine(ENERGY, energy_wh, "Wh", per_kwh, minor_units((per_kwh * energy_wh).scaleb(-3), currency))]
    if per_session:
        lines.append(CostLine(FLAT, 1, "session", per_session, minor_units(per_session, currency)))
    return lines


def session_cost_lines(session: "ChargingSession") -> list[CostLine]:
    """How the cost of a closed session comes about; a credit's lines are those of what it credits, negative.

    Empty where there is nothing to explain: no tariff, not billed, or a cost that the tariff does not yield.
    """
    if not session.tariff or session.energy_wh is None or session.cost_minor is None:
        return []
    if (kept := getattr(session, "cost_lines", None)) or session.tariff.get("elements"):
        lines = lines_read(kept or [])
        return lines if total_minor(lines) == session.cost_minor else []
    sign = -1 if session.credit else 1
    lines = [
        replace(line, quantity=sign * line.quantity, amount_minor=sign * line.amount_minor)
        for line in cost_lines(session.tariff, energy_wh=abs(session.energy_wh))
    ]
    return lines if total_minor(lines) == session.cost_minor else []


def cost_of(session: "ChargingSession") -> Decimal | None:
    """The whole cost of one that has ended, in units of its currency; None where it has none."""
    return None if session.cost_minor is None else units(session.cost_minor, session.currency)


def units(minor: int, currency: str) -> Decimal:
    """(1234, "EUR") -> Decimal("12.34")."""
    return Decimal(minor).scaleb(-minor_digits(currency))


def minor_units(amount: Decimal, currency: str) -> int:
    """An exact amount in whole minor units, rounded half up: (Decimal("1.005"), "EUR") -> 101."""
    return int(amount.scaleb(minor_digits(currency)).to_integral_value(ROUND_HALF_UP))
