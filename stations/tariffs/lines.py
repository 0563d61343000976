"""PURE: the lines of a bill, and how they are kept with a charge: whole numbers and text, so that they can be recorded.

    {"kind": "ENERGY", "quantity": 10000, "unit": "Wh", "price": "0.2549", "amount_minor": 255, "vat_percent": "19",
     "element": 0, "from": "2026-12-01T10:00:00Z", "step_size": 100, "used": 9950}

`price` is that of a kWh, an hour or a session; `quantity` what is billed, `used` what was used where the step made it
more; `element` the place in the tariff's list. `net_minor` stands where the tariff's prices exclude VAT.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from common.decimal_text import decimal_text

# OCPI TariffDimensionType, and what OCPI has as members of the tariff
ENERGY, TIME, PARKING_TIME, FLAT = "ENERGY", "TIME", "PARKING_TIME", "FLAT"
MIN_PRICE, MAX_PRICE = "MIN_PRICE", "MAX_PRICE"


@dataclass(frozen=True)
class CostLine:
    """One line of a bill. `quantity` in `unit`: Wh, s or sessions; `price` per kWh, per hour, or per session."""

    kind: str
    quantity: int
    unit: str
    price: Decimal
    amount_minor: int
    vat_percent: Decimal | None = None
    element: int | None = None
    since: datetime | None = None
    step_size: int = 1
    used: int | None = None  # where it is not the quantity
    net_minor: int | None = None
    reservation: bool = False


@dataclass(frozen=True)
class VatPart:
    """What of a bill has one rate, in minor units; `percent` None: no VAT applies."""

    percent: Decimal | None
    gross_minor: int
    net_minor: int

    @property
    def vat_minor(self) -> int:
        return self.gross_minor - self.net_minor


@dataclass(frozen=True)
class Bill:
    """`total_minor`, what is paid, is the sum of the lines; `vat_percent` is contained in it, None without VAT or where
    the lines have several rates: `parts` has each."""

    lines: list[CostLine]
    total_minor: int
    currency: str
    tariff_name: str
    vat_percent: Decimal | None
    parts: list[VatPart]

    @property
    def net_minor(self) -> int:
        """Without VAT."""
        return sum(part.net_minor for part in self.parts)


def total_minor(lines: Iterable[CostLine]) -> int:
    """The sum of the lines, in minor units."""
    return sum(line.amount_minor for line in lines)


def bill_made(lines: list[CostLine], snapshot: Mapping[str, Any], currency: str = "") -> Bill:
    """The bill of these lines; lines of a tariff without elements all have its VAT."""
    whole = snapshot.get("vat_percent")
    percent = Decimal(whole) if whole else None
    rates = [percent if line.element is None and line.vat_percent is None else line.vat_percent for line in lines]
    parts = _parts(lines, rates)
    only = parts[0].percent if len(parts) == 1 else None
    name, money = str(snapshot.get("name", "")), currency or str(snapshot["currency"])
    return Bill(lines, total_minor(lines), money, name, only if lines else percent, parts)


def _parts(lines: Sequence[CostLine], rates: Sequence[Decimal | None]) -> list[VatPart]:
    """By rate, none first."""
    found: dict[Decimal | None, list[CostLine]] = {}
    for line, rate in zip(lines, rates, strict=True):
        found.setdefault(rate, []).append(line)
    order = sorted(found, key=lambda rate: Decimal(-1) if rate is None else rate)
    return [VatPart(rate, total_minor(found[rate]), _net(found[rate], rate)) for rate in order]


def _net(lines: Sequence[CostLine], rate: Decimal | None) -> int:
    """As the lines say it, else what is left of their sum without its VAT, rounded half up."""
    if all(line.net_minor is not None for line in lines):
        return sum(line.net_minor or 0 for line in lines)
    return without_vat_minor(total_minor(lines), rate)


def without_vat_minor(gross: int, percent: Decimal | None) -> int:
    """(119, 19) -> 100, rounded half up."""
    net = Decimal(gross) * 100 / (100 + (percent or 0))
    return int(net.to_integral_value(ROUND_HALF_UP))


# --- As they are kept


def lines_kept(lines: Iterable[CostLine], *, negative: bool = False) -> list[dict[str, Any]]:
    """For ChargingSession.cost_lines; `negative`: those of a credit, which gives back what they took."""
    return [_kept(line, -1 if negative else 1) for line in lines]


def lines_given_back(kept: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those of the credit of a charge with these; none where somebody has spoilt them."""
    try:
        return lines_kept(lines_read(kept), negative=True)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
        return []


def _kept(line: CostLine, sign: int) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "kind": line.kind,
        "quantity": sign * line.quantity,
        "unit": line.unit,
        "price": decimal_text(line.price),
        "amount_minor": sign * line.amount_minor,
    }
    more: dict[str, Any] = {
        "vat_percent": None if line.vat_percent is None else decimal_text(line.vat_percent),
        "element": line.element,
        "from": None if line.since is None else line.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "step_size": line.step_size if line.step_size > 1 else None,
        "used": None if line.used is None else sign * line.used,
        "net_minor": None if line.net_minor is None else sign * line.net_minor,
        "reservation": "YES" if line.reservation else None,
    }
    return kept | {name: value for name, value in more.items() if value is not None}


def lines_read(kept: Iterable[Mapping[str, Any]]) -> list[CostLine]:
    """Of what is stored; raises KeyError, TypeError, ValueError or ArithmeticError where somebody altered it."""
    return [_read(one) for one in kept]


def _read(kept: Mapping[str, Any]) -> CostLine:
    percent, since = kept.get("vat_percent"), kept.get("from")
    return CostLine(
        str(kept["kind"]),
        int(kept["quantity"]),
        str(kept["unit"]),
        Decimal(kept["price"]),
        int(kept["amount_minor"]),
        vat_percent=None if percent is None else Decimal(percent),
        element=kept.get("element"),
        since=None if since is None else datetime.fromisoformat(since),
        step_size=int(kept.get("step_size", 1)),
        used=kept.get("used"),
        net_minor=kept.get("net_minor"),
        reservation=kept.get("reservation") == "YES",
    )
