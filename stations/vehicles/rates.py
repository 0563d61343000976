"""PURE: the official price of a kWh that somebody charges at home for their employer's car, by year.

Germany, from 2026 on: what employees pay themselves for the current of a company car may be refunded free of tax for
the kWh that a meter of its own shows, at the contract's price or, chosen for a whole calendar year, at a flat rate: the
average price of households in the first half of the year before, in whole cents, cut off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from stations.tariffs.pricing import minor_units


@dataclass(frozen=True)
class Rate:
    """VAT included, in units of the currency; `source` as papers name it."""

    year: int
    price_per_kwh: Decimal
    currency: str
    source: str


# One line a year that an official source has; the operator adds others in the admin (FlatRate), which go first.
OFFICIAL: Mapping[int, Rate] = {
    2026: Rate(
        2026,
        Decimal("0.34"),
        "EUR",
        "BMF, letter of 2025-11-11 on § 3 Nr. 46 and 50 EStG; Destatis 61243-0001, households, "
        "5,000 to 15,000 kWh, first half of 2025: 0.3436 EUR/kWh, cut to whole cents",
    ),
}


def flat_amount_minor(energy_wh: int, price_per_kwh: Decimal, currency: str) -> int:
    """Energy times rate in minor units, rounded half away from zero: a credit takes back what the charge gave."""
    return minor_units((price_per_kwh * energy_wh).scaleb(-3), currency)
