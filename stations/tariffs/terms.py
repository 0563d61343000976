"""PURE: a tariff in words, as a driver reads it before a charge and an operator in the admin."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from stations.tariffs.shape import DAYS, ENERGY, FLAT, PARKING_TIME, TIME

PER: Mapping[str, Promise] = {
    ENERGY: _("per kWh"),
    TIME: _("per hour of charging"),
    PARKING_TIME: _("per hour of standing without charging"),
    FLAT: _("per charge"),
}
_AMOUNTS = (
    ("kwh", _("from %(least)s kWh on"), _("up to %(most)s kWh")),
    ("power", _("from %(least)s kW on"), _("below %(most)s kW")),
    ("current", _("from %(least)s A on"), _("below %(most)s A")),
)


@dataclass(frozen=True)
class Term:
    """One price: `price` in units of the currency `per` what, and `when` it holds ("" always, as far as none before
    it does)."""

    price: Decimal
    per: str
    when: str = ""


def terms_of(snapshot: Mapping[str, Any]) -> list[Term]:
    """Its prices in their order; [] where somebody spoilt the row."""
    try:
        return list(_terms(snapshot))
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation):
        return []


def _terms(snapshot: Mapping[str, Any]) -> Iterator[Term]:
    if "elements" not in snapshot:
        yield Term(Decimal(snapshot["price_per_kwh"]), str(PER[ENERGY]))
        if per_session := Decimal(snapshot["price_per_session"]):
            yield Term(per_session, str(PER[FLAT]))
        return
    for element in snapshot["elements"]:
        when = when_words(element.get("restrictions") or {})
        for component in element["price_components"]:
            per = str(PER[component["type"]])
            if step := step_words(component["type"], int(component.get("step_size", 1))):
                per = f"{per}, {step}"
            yield Term(Decimal(component["price"]), per, when)
    for name, words in (("min_price", gettext("at least")), ("max_price", gettext("at most"))):
        limit = snapshot.get(name) or {}
        if (amount := limit.get("incl_vat", limit.get("excl_vat"))) is not None:
            yield Term(Decimal(amount), str(PER[FLAT]), words)


def step_words(kind: str, step_size: int) -> str:
    """In steps of how much it is billed, where that is more than a watt-hour or a second."""
    if step_size <= 1 or kind == FLAT:
        return ""
    if kind == ENERGY:
        return gettext("in steps of %(size)d Wh") % {"size": step_size}
    if step_size % 60 == 0:
        return gettext("in steps of %(size)d min") % {"size": step_size // 60}
    return gettext("in steps of %(size)d s") % {"size": step_size}


def when_words(limits: Mapping[str, Any]) -> str:
    """OCPI TariffRestrictions: "22:00 to 06:00, Saturday, Sunday"; "" where nothing restricts it."""
    parts = [*_clock(limits), *_amounts(limits), *_lasting(limits)]
    if reservation := limits.get("reservation"):
        expired = reservation == "RESERVATION_EXPIRES"
        parts.append(gettext("for a reservation that expired") if expired else gettext("for a reservation"))
    return ", ".join(parts)


def _clock(limits: Mapping[str, Any]) -> Iterator[str]:
    begin, end = limits.get("start_time"), limits.get("end_time")
    if begin or end:
        yield gettext("%(begin)s to %(end)s") % {"begin": begin or "00:00", "end": end or "24:00"}
    if days := limits.get("day_of_week"):
        yield ", ".join(str(WEEKDAYS[DAYS.index(day)]) for day in DAYS if day in days)
    if begin := limits.get("start_date"):
        yield gettext("from %(day)s on") % {"day": begin}
    if end := limits.get("end_date"):
        yield gettext("before %(day)s") % {"day": end}


def _amounts(limits: Mapping[str, Any]) -> Iterator[str]:
    for name, from_words, until_words in _AMOUNTS:
        if (least := limits.get(f"min_{name}")) is not None:
            yield str(from_words) % {"least": least}
        if (most := limits.get(f"max_{name}")) is not None:
            yield str(until_words) % {"most": most}


def _lasting(limits: Mapping[str, Any]) -> Iterator[str]:
    if (least := limits.get("min_duration")) is not None:
        yield gettext("after %(minutes)s min") % {"minutes": _minutes(least)}
    if (most := limits.get("max_duration")) is not None:
        yield gettext("in the first %(minutes)s min") % {"minutes": _minutes(most)}


def _minutes(seconds: int) -> str:
    whole, rest = divmod(seconds, 60)
    return f"{whole}:{rest:02}" if rest else str(whole)
