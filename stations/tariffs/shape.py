"""PURE: a tariff of the new form (OCPI 2.2.1 TariffElements) read strictly, and written in the one way that is kept.

The snapshot that a session keeps, numbers as text, whole numbers as integers, so that it can be recorded:

    {"id": "NIGHT", "name": "Night", "currency": "EUR", "vat_included": "YES", "type": "REGULAR",
     "min_price": {"incl_vat": "1"}, "max_price": {"incl_vat": "40"},
     "elements": [{"price_components": [{"type": "ENERGY", "price": "0.2549", "vat": "19", "step_size": 1}],
                   "restrictions": {"start_time": "22:00", "end_time": "06:00"}}]}

`vat_included`: "YES", prices are what the driver pays (as all tariffs of ours); "NO", VAT comes on top (as OCPI has
it). Power is in kW, current in A, energy in kWh, times in seconds, as in OCPI; inside it is mW, mA and Wh.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

ENERGY, TIME, PARKING_TIME, FLAT = "ENERGY", "TIME", "PARKING_TIME", "FLAT"
DIMENSIONS = (FLAT, ENERGY, TIME, PARKING_TIME)
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
RESERVATION, RESERVATION_EXPIRES = "RESERVATION", "RESERVATION_EXPIRES"
TYPES = ("AD_HOC_PAYMENT", "PROFILE_CHEAP", "PROFILE_FAST", "PROFILE_GREEN", "REGULAR")
ELEMENTS_MAX, STEP_MAX, SECONDS_MAX = 100, 10**7, 10**8
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
DAY_SECONDS = 86_400


class TariffError(ValueError):
    """What was expected, where, and what came instead."""


@dataclass(frozen=True)
class Component:
    """OCPI PriceComponent; `element`: where its element stands in the list."""

    element: int
    type: str
    price: Decimal
    vat: Decimal | None
    step_size: int


@dataclass(frozen=True)
class Restrictions:
    """OCPI TariffRestrictions; what is None restricts nothing. Minima hold from there on, maxima until there."""

    start_second: int | None = None  # of the local day
    end_second: int | None = None
    start_date: date | None = None
    end_date: date | None = None
    min_wh: int | None = None
    max_wh: int | None = None
    min_current_ma: int | None = None
    max_current_ma: int | None = None
    min_power_mw: int | None = None
    max_power_mw: int | None = None
    min_duration_s: int | None = None
    max_duration_s: int | None = None
    days: frozenset[int] = frozenset()  # 0 is Monday; none: every day
    reservation: str = ""


@dataclass(frozen=True)
class Element:
    components: tuple[Component, ...]
    restrictions: Restrictions


@dataclass(frozen=True)
class Limit:
    """A least or greatest price, in units of the currency; None where it says nothing of that."""

    incl_vat: Decimal | None = None
    excl_vat: Decimal | None = None


NO_LIMIT = Limit()


@dataclass(frozen=True)
class Shape:
    """A tariff as it is reckoned with."""

    currency: str
    vat_included: bool
    elements: tuple[Element, ...]
    min_price: Limit = NO_LIMIT
    max_price: Limit = NO_LIMIT


def shape_read(snapshot: Mapping[str, Any]) -> Shape:
    """The tariff that a session has kept, or an OCPI Tariff whose prices exclude VAT; raises TariffError."""
    included = snapshot.get("vat_included", "NO")
    if included not in {"YES", "NO"}:
        raise TariffError(f"vat_included: expected YES or NO, got {_shown(included)}")
    currency = snapshot.get("currency")
    if not isinstance(currency, str) or not currency:
        raise TariffError(f"currency: expected a currency, got {_shown(currency)}")
    limits = {name: _limit(name, snapshot.get(name)) for name in ("min_price", "max_price")}
    return Shape(currency, included == "YES", elements_read(snapshot.get("elements")), **limits)


def elements_read(value: object) -> tuple[Element, ...]:
    """A list of TariffElements; raises TariffError naming what is wrong and where."""
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= ELEMENTS_MAX:
        raise TariffError(_("elements: expected a list of 1 to %(most)d elements") % {"most": ELEMENTS_MAX})
    return tuple(_element(number, f"elements[{number}]", one) for number, one in enumerate(value))


def elements_text(value: object) -> list[dict[str, Any]]:
    """The same list as it is kept: numbers as text, members in OCPI's order, nothing empty. Raises TariffError."""
    elements_read(value)
    assert isinstance(value, (list, tuple))
    return [_element_text(one) for one in value]


def _element_text(one: Mapping[str, Any]) -> dict[str, Any]:
    components = [_component_text(component) for component in one["price_components"]]
    given = one.get("restrictions") or {}
    kept = {name: _restriction_text(name, given[name]) for name in _RESTRICTIONS if given.get(name) not in (None, [])}
    return {"price_components": components} | ({"restrictions": kept} if kept else {})


def _component_text(one: Mapping[str, Any]) -> dict[str, Any]:
    vat = {} if one.get("vat") is None else {"vat": _decimal_text(_number("", one["vat"]))}
    price = {"type": one["type"], "price": _decimal_text(_number("", one["price"]))}
    return price | vat | {"step_size": one.get("step_size", 1)}


def _restriction_text(name: str, value: Any) -> Any:
    if name == "day_of_week":
        return [day for day in DAYS if day in value]
    return _decimal_text(_number("", value)) if name in _SCALES else value


# --- One element


def _element(number: int, where: str, value: object) -> Element:
    given = _members(where, value, {"price_components", "restrictions"})
    components = given.get("price_components")
    if not isinstance(components, (list, tuple)) or not components:
        raise TariffError(_("%(where)s: expected at least one price component") % {"where": where})
    read = [_component(number, f"{where}.price_components[{place}]", one) for place, one in enumerate(components)]
    types = [one.type for one in read]
    if twice := sorted({one for one in types if types.count(one) > 1}):
        raise TariffError(_("%(where)s: %(type)s is priced twice") % {"where": where, "type": twice[0]})
    limits = _restrictions(f"{where}.restrictions", given.get("restrictions"))
    if limits.reservation and (other := [one for one in types if one not in {FLAT, TIME}]):
        words = _("%(where)s: a reservation is priced by FLAT and TIME, not by %(type)s")
        raise TariffError(words % {"where": where, "type": other[0]})
    return Element(tuple(read), limits)


def _component(number: int, where: str, value: object) -> Component:
    given = _members(where, value, {"type", "price", "vat", "step_size"})
    kind = given.get("type")
    if kind not in DIMENSIONS:
        raise _expected(f"{where}.type", " ".join(DIMENSIONS), kind)
    price = _number(f"{where}.price", given.get("price"), places=4)
    vat = None if given.get("vat") is None else _number(f"{where}.vat", given["vat"], places=2, most=100)
    least = 0 if kind == FLAT else 1
    step = _whole(f"{where}.step_size", given.get("step_size", 1), least, STEP_MAX)
    return Component(number, str(kind), price, vat, step)


def _restrictions(where: str, value: object) -> Restrictions:
    if value is None:
        return Restrictions()
    given = _members(where, value, set(_RESTRICTIONS))
    read: dict[str, Any] = {}
    for name, said in given.items():
        if said is not None:
            field, reader = _RESTRICTIONS[name]
            read[field] = reader(f"{where}.{name}", said)
    limits = Restrictions(**read)
    for name in ("wh", "current_ma", "power_mw", "duration_s"):
        least, most = getattr(limits, f"min_{name}"), getattr(limits, f"max_{name}")
        if least is not None and most is not None and least >= most:
            raise TariffError(_("%(where)s: the least is not below the most, so it never holds") % {"where": where})
    if limits.start_date and limits.end_date and limits.start_date >= limits.end_date:
        raise TariffError(_("%(where)s: it ends before it begins") % {"where": where})
    return limits


# --- Single values


def _limit(name: str, value: object) -> Limit:
    if value is None:
        return NO_LIMIT
    given = _members(name, value, {"incl_vat", "excl_vat"})
    read = {key: _number(f"{name}.{key}", said, places=4) for key, said in given.items() if said is not None}
    return Limit(**read)


def _members(where: str, value: object, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _expected(where, _("an object"), value)
    if unknown := [str(name) for name in value if name not in known]:
        words = _("%(where)s: %(name)s is not known here; known are %(known)s")
        raise TariffError(words % {"where": where, "name": unknown[0][:40], "known": ", ".join(sorted(known))})
    return value


def _number(where: str, value: object, *, places: int = 9, most: int = 10**6) -> Decimal:
    """Exact: a float, as JSON is often read, is taken by its shortest text."""
    text = repr(value) if isinstance(value, float) else value
    try:
        read = Decimal(text) if isinstance(text, (str, int, Decimal)) and not isinstance(text, bool) else None
    except InvalidOperation:
        read = None
    if read is None or not read.is_finite() or not 0 <= read <= most or read != round(read, places):
        words = _("a number from 0 to %(most)d with at most %(places)d decimals")
        raise _expected(where, words % {"most": most, "places": places}, value)
    return read


def _whole(where: str, value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _expected(where, _("a whole number from %(least)d to %(most)d") % {"least": least, "most": most}, value)
    return value


def _clock(where: str, value: object) -> int:
    if not isinstance(value, str) or not CLOCK.fullmatch(value):
        raise _expected(where, _("a time such as 07:30"), value)
    return int(value[:2]) * 3600 + int(value[3:]) * 60


def _date(where: str, value: object) -> date:
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise _expected(where, _("a date such as 2026-12-24"), value)


def _days(where: str, value: object) -> frozenset[int]:
    if not isinstance(value, (list, tuple)) or any(day not in DAYS for day in value):
        raise _expected(where, _("a list of days such as MONDAY"), value)
    return frozenset(DAYS.index(day) for day in value)


def _reservation(where: str, value: object) -> str:
    if value not in {RESERVATION, RESERVATION_EXPIRES}:
        raise _expected(where, f"{RESERVATION}, {RESERVATION_EXPIRES}", value)
    return str(value)


def _scaled(scale: int, places: int) -> Callable[[str, object], int]:
    def read(where: str, value: object) -> int:
        return int(_number(where, value, places=places) * scale)

    return read


def _seconds(where: str, value: object) -> int:
    return _whole(where, value, 0, SECONDS_MAX)


def _decimal_text(value: Decimal) -> str:
    """As common.decimal_text, which would make the longest chain of imports longer."""
    return f"{value.normalize() + 0:f}"


def _expected(where: str, what: str, got: object) -> TariffError:
    words = _("%(where)s: expected %(what)s, got %(got)s")
    return TariffError(words % {"where": where, "what": what, "got": _shown(got)})


def _shown(value: object) -> str:
    return repr(value)[:40]


_WH, _MA, _MW = _scaled(1000, 3), _scaled(1000, 3), _scaled(10**6, 6)
_SCALES = ("min_kwh", "max_kwh", "min_current", "max_current", "min_power", "max_power")
# In OCPI's order: a restriction's name -> the field of Restrictions, and how it is read.
_RESTRICTIONS: Mapping[str, tuple[str, Callable[[str, object], Any]]] = {
    "start_time": ("start_second", _clock),
    "end_time": ("end_second", _clock),
    "start_date": ("start_date", _date),
    "end_date": ("end_date", _date),
    "min_kwh": ("min_wh", _WH),
    "max_kwh": ("max_wh", _WH),
    "min_current": ("min_current_ma", _MA),
    "max_current": ("max_current_ma", _MA),
    "min_power": ("min_power_mw", _MW),
    "max_power": ("max_power_mw", _MW),
    "min_duration": ("min_duration_s", _seconds),
    "max_duration": ("max_duration_s", _seconds),
    "day_of_week": ("days", _days),
    "reservation": ("reservation", _reservation),
}
Elements = Sequence[Element]
