"""PURE. The readings of an OCMF text: what each leaves out is taken from the one before, values are exact Wh."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from stations.metering import obis
from stations.metering.refused import Refused

INHERITED = ("TM", "TX", "RI", "RU", "RT", "EF", "ST")
_HOUR = r"(?:[01]\d|2[0-3])"
TIME = re.compile(
    rf"(\d{{4}}-\d{{2}}-\d{{2}}T{_HOUR}:\d{{2}}:\d{{2}})(?:[,.](\d{{1,6}}))?([+-]{_HOUR}):?([0-5]\d|)(?: ([A-Za-z]))?",
    re.ASCII,
)
UNITS = {"kwh": 1000, "wh": 1}
# Some meters write a text and pad it, with blanks or zeros.
PADDED = re.compile(r" *([0-9]{1,30}(?:\.[0-9]{1,20})?) *")
VALUE_MAX_WH = 10**15


@dataclass(frozen=True, slots=True)
class Reading:
    """What a signed text says of one register at one moment."""

    register_wh: Fraction
    at: datetime  # UTC
    time_state: str  # of the clock: U, I, S, R
    status: str  # of the meter: G is good
    obis: str  # as written
    transaction: str  # TX: B, C, …, E, L, R, A, P
    pagination: str  # of the text that it stands in
    unit: str  # as written


@dataclass(frozen=True, slots=True)
class Raw:
    """One element of RD, with what it inherits; nothing in it is judged yet."""

    fields: Mapping[str, Any]
    register: obis.Obis | None
    pagination: str

    @property
    def transaction(self) -> str:
        """TX without blanks; "" where there is none."""
        return self.text("TX").strip()

    def text(self, name: str) -> str:
        """A member that is a text; "" where it is not there. Raises Refused where it is something else."""
        found = self.fields.get(name)
        if found is None:
            return ""
        if not isinstance(found, str):
            raise Refused("fields", f"{name} is no text")
        return found

    def reading(self) -> Reading:
        """With value, unit and time read. Raises Refused."""
        unit = self.text("RU").strip()
        factor = UNITS.get(unit.lower())
        value = _value(self.fields.get("RV"))
        if factor is None:
            raise Refused("unit", unit or "none")
        at, state = moment(self.text("TM"))
        wh = value * factor
        if not 0 <= wh <= VALUE_MAX_WH:
            raise Refused("value", str(self.fields.get("RV")))
        return Reading(wh, at, state, self.text("ST"), self.text("RI"), self.transaction, self.pagination, unit)


def of(payload: Mapping[str, Any], pagination: str) -> Iterator[Raw]:
    """Every element of RD in its order. Raises Refused."""
    found = payload.get("RD")
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise Refused("fields", "expected readings in RD")
    before: dict[str, Any] = {}
    for one in found:
        before = {**{name: before[name] for name in INHERITED if name in before}, **one}
        written = before.get("RI")
        yield Raw(before, obis.read(written) if isinstance(written, str) else None, pagination)


def moment(text: str) -> tuple[datetime, str]:
    """Time (UTC) and the state of the clock ("" where it is not said) of a TM. Raises Refused."""
    found = TIME.fullmatch(text)
    if found is None:
        raise Refused("time", text[:60])
    seconds, fraction, hours, minutes, state = found.groups()
    try:
        at = datetime.fromisoformat(f"{seconds}.{(fraction or '0'):0<6}{hours}:{minutes or '00'}")
        return at.astimezone(UTC), state or ""
    except (ValueError, OverflowError) as error:
        raise Refused("time", text[:60]) from error


def _value(value: Any) -> Fraction:
    """A number, also where it is written as a text. A reading has its own: none is ever inherited."""
    if isinstance(value, str) and (found := PADDED.fullmatch(value)):
        value = Decimal(found[1])
    if type(value) is int or type(value) is Decimal:
        return Fraction(value)
    raise Refused("value", "none" if value is None else str(value)[:60])
