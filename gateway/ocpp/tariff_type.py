"""A tariff as OCPP 2.1 has it (TariffType), so that a station can show what a charge costs; ours is what counts.

Prices are without VAT there, each kind of price has one set of tax rates, and of several prices the first whose
conditions hold counts, as with us. There are no steps, and a fee is decided when the charge begins. What a station
would reckon otherwise is refused, with the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.ocpp.composing import Unsupported
from gateway.ocpp.phrasing import Payload, given
from stations.models import Tariff
from stations.tariffs.shape import (
    DAYS,
    ENERGY,
    FLAT,
    PARKING_TIME,
    RESERVATION,
    TIME,
    Component,
    Limit,
    Restrictions,
    shape_read,
)

LANGUAGE = "en"  # of the tariff's name, which has none of its own
PRICE_DIGITS = 6
Priced = tuple[Component, Restrictions]
MINUTES_AN_HOUR = 60
# By kind of price: the member of TariffType, of its prices, and what an hour or a kWh is divided by.
KINDS: Mapping[str, tuple[str, str, int]] = {
    ENERGY: ("energy", "priceKwh", 1),
    TIME: ("chargingTime", "priceMinute", MINUTES_AN_HOUR),
    PARKING_TIME: ("idleTime", "priceMinute", MINUTES_AN_HOUR),
    FLAT: ("fixedFee", "priceFixed", 1),
}
RESERVED = {TIME: ("reservationTime", "priceMinute", MINUTES_AN_HOUR), FLAT: ("reservationFixed", "priceFixed", 1)}


def tariff_of(tariff: Tariff) -> Payload:
    """The tariff; raises Unsupported where 2.1 cannot carry it."""
    snapshot = tariff.snapshot()
    own = _by_elements(snapshot) if "elements" in snapshot else _plain(tariff)
    return given(
        tariffId=tariff.code,
        description=[{"format": "UTF8", "language": LANGUAGE, "content": tariff.name}],
        currency=tariff.currency,
        **own,
    )


def _plain(tariff: Tariff) -> Payload:
    per_kwh, per_session = (_net(one, tariff.vat_percent) for one in (tariff.price_per_kwh, tariff.price_per_session))
    taxes = _taxes(tariff.vat_percent)
    fixed = given(prices=[{"priceFixed": per_session}], taxRates=taxes) if per_session else None
    return given(energy=given(prices=[{"priceKwh": per_kwh}], taxRates=taxes), fixedFee=fixed)


def _by_elements(snapshot: Mapping[str, Any]) -> Payload:
    shape = shape_read(snapshot)
    found: dict[str, Any] = {}
    for reserved, kinds in (("", KINDS), (RESERVATION, RESERVED)):
        for kind, (member, price, divisor) in kinds.items():
            priced = [
                (component, element.restrictions)
                for element in shape.elements
                for component in element.components
                if component.type == kind and element.restrictions.reservation == reserved
            ]
            if priced:
                found[member] = _prices(priced, price, divisor)
    if any(element.restrictions.reservation not in {"", RESERVATION} for element in shape.elements):
        raise Unsupported("OCPP 2.1 has no price for a reservation that nobody came for")
    return found | given(minCost=_limit(shape.min_price), maxCost=_limit(shape.max_price))


def _prices(priced: Sequence[Priced], price: str, divisor: int) -> Payload:
    """The prices of one kind, in their order."""
    kind = priced[0][0].type
    if len({component.vat for component, _ in priced}) > 1:
        raise Unsupported(f"OCPP 2.1 has one rate of VAT for all prices of a kind, this tariff several for {kind}")
    if kind != FLAT and any(component.step_size > 1 for component, _ in priced):
        raise Unsupported(f"OCPP 2.1 has no steps, this tariff has them for {kind}")
    conditions = _conditions_of_fee if kind == FLAT else _conditions
    listed = [_price(one, price, divisor, conditions) for one in priced]
    return given(prices=listed, taxRates=_taxes(priced[0][0].vat))


def _price(one: Priced, price: str, divisor: int, conditions: Callable[[Restrictions], Payload]) -> Payload:
    component, restrictions = one
    return {price: _net(component.price / divisor, component.vat)} | given(conditions=conditions(restrictions) or None)


def _conditions_of_fee(restrictions: Restrictions) -> Payload:
    found = _conditions(restrictions)
    if other := found.keys() - {"startTimeOfDay", "endTimeOfDay", "dayOfWeek", "validFromDate", "validToDate"}:
        raise Unsupported(f"OCPP 2.1 has fees by time, day and date alone, this tariff by {', '.join(sorted(other))}")
    return found


def _conditions(limits: Restrictions) -> Payload:
    """TariffConditionsType: energy in Wh, power in W, current in A, durations of the whole charge in seconds."""
    start, end = limits.start_second, limits.end_second
    if start is None and end is not None:
        start = 0
    return given(
        startTimeOfDay=None if start is None else _clock(start),
        endTimeOfDay=None if end is None else _clock(end),
        dayOfWeek=[DAYS[day].capitalize() for day in sorted(limits.days)] or None,
        validFromDate=limits.start_date and limits.start_date.isoformat(),
        validToDate=limits.end_date and limits.end_date.isoformat(),
        minEnergy=limits.min_wh,
        maxEnergy=limits.max_wh,
        minCurrent=_thousandth(limits.min_current_ma),
        maxCurrent=_thousandth(limits.max_current_ma),
        minPower=_thousandth(limits.min_power_mw),
        maxPower=_thousandth(limits.max_power_mw),
        minTime=limits.min_duration_s,
        maxTime=limits.max_duration_s,
    )


def _clock(second: int) -> str:
    """An end of 24:00 is 00:00, which 2.1 takes for that of the next day, as OCPI does."""
    return f"{second // 3600 % 24:02d}:{second % 3600 // 60:02d}"


def _thousandth(value: int | None) -> float | None:
    return None if value is None else value / 1000


def _limit(limit: Limit) -> Payload | None:
    """PriceType; None where nothing is limited."""
    names = {"exclTax": limit.excl_vat, "inclTax": limit.incl_vat}
    return {name: float(amount) for name, amount in names.items() if amount is not None} or None


def _net(amount: Decimal, vat_percent: Decimal | None) -> float:
    """Without VAT, as 2.1 has prices; ours are with it."""
    return round(float(amount / (1 + (vat_percent or Decimal(0)) / 100)), PRICE_DIGITS)


def _taxes(vat_percent: Decimal | None) -> list[Payload] | None:
    return [{"type": "vat", "tax": float(vat_percent)}] if vat_percent is not None else None
