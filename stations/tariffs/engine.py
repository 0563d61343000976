"""PURE: what a charge costs under any tariff: `price(snapshot, usage) -> Bill`, to the cent, in whole numbers only.

1. What the charge used of each price component: stations/tariffs/periods.py; a reservation before it likewise.
2. Steps (OCPI 2.2.1, mod_cdrs, step_size): the watt-hours of the whole charge are rounded up once, by the step of the
   last energy price that was used; parking time likewise; charging time only where no parking time was priced. What
   is added stands in the line of that last price. The time of a reservation is rounded up by itself.
3. Amounts. Prices with VAT: each line is rounded half up, as everywhere in EVPortal. Prices without it: the running
   sum with VAT is rounded half up, and each line is what it grows by, so that VAT is not rounded twice; without VAT
   (`net_minor`) likewise.
4. The least and the greatest price are lines of their own, one for each rate of VAT, in proportion to the other lines.

A snapshot of the older form (price_per_kwh, price_per_session) gives the same bill as ever.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from stations.tariffs.currencies import minor_digits
from stations.tariffs.lines import MAX_PRICE, MIN_PRICE, Bill, CostLine, bill_made, total_minor
from stations.tariffs.periods import Used, used_of, used_of_reservation
from stations.tariffs.pricing import cost_lines
from stations.tariffs.shape import DIMENSIONS, ENERGY, FLAT, PARKING_TIME, TIME, Limit, Shape, shape_read
from stations.tariffs.usage import Usage, moment_of

UNITS = {ENERGY: "Wh", TIME: "s", PARKING_TIME: "s", FLAT: "session"}
# A price is that of so many: of a kWh, an hour, a session.
PER = {ENERGY: 1000, TIME: 3600, PARKING_TIME: 3600, FLAT: 1}


def has_elements(snapshot: object) -> bool:
    """Whether it is a tariff of the new form: its lines are stored with the charge."""
    return isinstance(snapshot, Mapping) and bool(snapshot.get("elements"))


def price(snapshot: Mapping[str, Any], usage: Usage) -> Bill:
    """The whole bill of a charge, or of one that goes on as if it ended at `usage.stopped_at`.

    Raises TariffError (a ValueError) where the snapshot is no tariff.
    """
    if not has_elements(snapshot):
        return bill_made(cost_lines(snapshot, energy_wh=usage.energy_wh), snapshot)
    shape, kept, lines = shape_read(snapshot), usage.reservation, list[CostLine]()
    if kept:
        lines += _stepped(used_of_reservation(shape.elements, kept, usage.time_zone), reservation=True)
    if not (kept and kept.expired):  # else nobody came
        lines += _stepped(used_of(shape.elements, usage))
    return bill_made(_limited(shape, _priced(shape, _said(lines))), snapshot)


# --- Quantities


def _stepped(used: Sequence[Used], *, reservation: bool = False) -> list[CostLine]:
    """Lines without amounts, in the order of their first use, rounded up by the steps."""
    order = sorted(used, key=lambda one: (one.since, DIMENSIONS.index(one.component.type), one.component.element))
    more = dict[int, int]()
    for kind in (ENERGY, PARKING_TIME if any(_is_used(one, PARKING_TIME) for one in used) else TIME):
        if same := [one for one in used if _is_used(one, kind)]:
            last = max(same, key=lambda one: one.last)
            more[id(last)] = -sum(one.quantity for one in same) % last.component.step_size
    return [_line(one, more.get(id(one), 0), reservation) for one in order]


def _is_used(used: Used, kind: str) -> bool:
    return used.component.type == kind and used.quantity > 0


def _line(used: Used, more: int, reservation: bool) -> CostLine:
    of = used.component
    return CostLine(
        of.type,
        used.quantity + more,
        UNITS[of.type],
        of.price,
        0,
        vat_percent=of.vat,
        element=of.element,
        since=moment_of(used.since),
        step_size=of.step_size,
        used=used.quantity if more else None,
        reservation=reservation,
    )


def _said(lines: list[CostLine]) -> list[CostLine]:
    """Those with a quantity; where there is none, the first, so that a bill says what was priced."""
    return [line for line in lines if line.quantity] or lines[:1]


# --- Amounts


def _priced(shape: Shape, lines: list[CostLine]) -> list[CostLine]:
    scale = 10 ** minor_digits(shape.currency)
    exact = [Fraction(line.price) * line.quantity * scale / PER[line.kind] for line in lines]
    if shape.vat_included:
        return [replace(line, amount_minor=half_up(cost)) for line, cost in zip(lines, exact, strict=True)]
    gross = _growing(
        [cost * (100 + Fraction(line.vat_percent or 0)) / 100 for line, cost in zip(lines, exact, strict=True)]
    )
    net = _growing(exact)
    found = zip(lines, gross, net, strict=True)
    return [replace(line, amount_minor=with_vat, net_minor=without) for line, with_vat, without in found]


def half_up(exact: Fraction) -> int:
    """The nearest whole number; a half goes up."""
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _growing(costs: Iterable[Fraction]) -> list[int]:
    """What the rounded running sum grows by."""
    sums = [Fraction(0)]
    for cost in costs:
        sums.append(sums[-1] + cost)
    return [half_up(after) - half_up(before) for before, after in pairwise(sums)]


def _limited(shape: Shape, lines: list[CostLine]) -> list[CostLine]:
    lines = lines + _limit_lines(shape, lines, MIN_PRICE, shape.min_price, max)
    return lines + _limit_lines(shape, lines, MAX_PRICE, shape.max_price, min)


def _limit_lines(
    shape: Shape, lines: Sequence[CostLine], kind: str, limit: Limit, choose: Callable[[int, int], int]
) -> list[CostLine]:
    """What brings the sum to the limit; nothing where it is within. OCPI: with VAT and without, both apply."""
    gross_limit, net_limit = limit.incl_vat, None if shape.vat_included else limit.excl_vat
    if gross_limit is None and net_limit is None:
        return []
    gross, net = total_minor(lines), sum(line.net_minor or 0 for line in lines)
    rates = _rates(shape, lines)
    wanted = gross if gross_limit is None else choose(gross, _minor(shape, gross_limit))
    wanted_net = net if net_limit is None else choose(net, _minor(shape, net_limit))
    if gross_limit is None:  # told without VAT only: the other follows, and the other way round
        wanted = gross + half_up(Fraction(wanted_net - net) * _with_vat(rates))
    elif net_limit is None and not shape.vat_included:
        wanted_net = net + half_up(Fraction(wanted - gross) / _with_vat(rates))
    wanted_net = min(wanted_net, wanted)
    if (wanted, wanted_net) == (gross, net):
        return []
    shares, net_shares = _shared(wanted - gross, rates), _shared(wanted_net - net, rates)
    told = gross_limit if gross_limit is not None else net_limit
    assert told is not None
    return [
        CostLine(
            kind, 1, "session", told, shares[rate], rate, net_minor=None if shape.vat_included else net_shares[rate]
        )
        for rate in rates
        if shares[rate] or net_shares[rate]
    ]


def _minor(shape: Shape, amount: Decimal) -> int:
    return half_up(Fraction(amount) * 10 ** minor_digits(shape.currency))


Rates = Mapping[Decimal | None, int]


def _rates(shape: Shape, lines: Sequence[CostLine]) -> Rates:
    """Each rate of the lines with its part of their sum; where that is 0, the tariff's first rate has all."""
    found: dict[Decimal | None, int] = {}
    for line in lines:
        if line.amount_minor:
            found[line.vat_percent] = found.get(line.vat_percent, 0) + line.amount_minor
    if found:
        return dict(sorted(found.items(), key=lambda item: Decimal(-1) if item[0] is None else item[0]))
    percents = [one.vat for element in shape.elements for one in element.components if one.vat is not None]
    return {percents[0] if percents else None: 1}


def _with_vat(rates: Rates) -> Fraction:
    """How many times more the mixture of rates is with VAT."""
    net = sum(Fraction(part) * 100 / (100 + Fraction(rate or 0)) for rate, part in rates.items())
    return Fraction(sum(rates.values())) / net


def _shared(amount: int, rates: Rates) -> dict[Decimal | None, int]:
    """The amount in proportion to the parts, to the last cent."""
    whole, sums = sum(rates.values()), [0]
    for part in rates.values():
        sums.append(sums[-1] + part)
    ends = [half_up(Fraction(amount * sum_, whole)) for sum_ in sums]
    return {rate: after - before for rate, (before, after) in zip(rates, pairwise(ends), strict=True)}
