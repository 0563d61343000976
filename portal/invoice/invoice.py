"""PURE: an invoice worked out of charges whose prices include VAT: net lines, VAT once a rate, and what is to be paid.

What is paid is exact, the sum of what the charges cost. Net is rounded half up once a rate, and lines share it out in
their order, so that they add up to it. VAT is the rate of that net, rounded once, as every reader of an e-invoice works
it out again; where net and VAT then miss what is paid by a cent, the difference stands as rounding (EN 16931, BT-114).
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Literal

Unit = Literal["KWH", "HUR", "C62"]  # UN/ECE Recommendation 20: kilowatt-hour, hour, one
HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Item:
    """What was charged, in the order of the paper: `gross_minor` with VAT of `percent` in it."""

    name: str
    note: str
    quantity: Decimal
    unit: Unit
    gross_minor: int
    percent: Decimal


@dataclass(frozen=True)
class Line:
    """One line of the invoice; `price` of one unit without VAT, in units of the currency."""

    item: Item
    net_minor: int
    price: Decimal


@dataclass(frozen=True)
class Tax:
    """One rate of the invoice, in minor units."""

    percent: Decimal
    net_minor: int
    vat_minor: int


@dataclass(frozen=True)
class Party:
    """Who sells or buys; `lines` are those of the address, `country` ISO 3166-1 alpha-2."""

    name: str
    lines: tuple[str, ...]
    postal_code: str
    city: str
    country: str
    vat_id: str = ""


@dataclass(frozen=True)
class Invoice:
    """All that the XML says, and the paper beside it. Amounts in minor units of the currency with `digits` decimals."""

    number: str
    issued: date
    first_day: date
    last_day: date
    currency: str
    digits: int
    seller: Party
    buyer: Party
    reference: str
    items: tuple[Item, ...]

    @cached_property
    def lines(self) -> list[Line]:
        """In the order of the items."""
        gross: dict[Decimal, int] = {}
        found = []
        for item in self.items:
            before = gross.get(item.percent, 0)
            gross[item.percent] = before + item.gross_minor
            net_minor = net_of(gross[item.percent], item.percent) - net_of(before, item.percent)
            found.append(Line(item, net_minor, self._price(item, net_minor)))
        return found

    def _price(self, item: Item, net_minor: int) -> Decimal:
        """To six decimals: quantity times price gives the line's amount to a cent, for up to a thousand units."""
        if not item.quantity:
            return Decimal(0)
        exact = Decimal(net_minor).scaleb(-self.digits) / item.quantity
        return exact.quantize(Decimal("0.000001"), ROUND_HALF_UP).normalize()

    @cached_property
    def taxes(self) -> list[Tax]:
        """Each rate once, the lowest first."""
        gross: dict[Decimal, int] = {}
        for item in self.items:
            gross[item.percent] = gross.get(item.percent, 0) + item.gross_minor
        nets = {percent: net_of(minor, percent) for percent, minor in gross.items()}
        return [Tax(percent, nets[percent], vat_of(nets[percent], percent)) for percent in sorted(nets)]

    @property
    def net_minor(self) -> int:
        """Of all rates."""
        return sum(tax.net_minor for tax in self.taxes)

    @property
    def vat_minor(self) -> int:
        """Of all rates."""
        return sum(tax.vat_minor for tax in self.taxes)

    @property
    def paid_minor(self) -> int:
        """What the charges cost."""
        return sum(item.gross_minor for item in self.items)

    @property
    def rounding_minor(self) -> int:
        """What net and VAT miss of it: at most a cent a rate."""
        return self.paid_minor - self.net_minor - self.vat_minor


def net_of(gross_minor: int, percent: Decimal) -> int:
    """Rounded half up to a whole minor unit."""
    return int((gross_minor * HUNDRED / (HUNDRED + percent)).to_integral_value(ROUND_HALF_UP))


def vat_of(net_minor: int, percent: Decimal) -> int:
    """The rate of a net amount, rounded half up."""
    return int((net_minor * percent / HUNDRED).to_integral_value(ROUND_HALF_UP))


def kwh_of(energy_wh: int) -> Decimal:
    """With two decimals: readers of e-invoices cut what has more."""
    return Decimal(energy_wh).scaleb(-3).quantize(Decimal("0.01"), ROUND_HALF_UP)
