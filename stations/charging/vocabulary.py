"""PURE: the words of OCPP for sampled values, as stations write them; what is not understood is told apart.

OCPP 1.6 (SampledValue, with the spellings that errata 4 lets a central system accept) and OCPP 2.0.1
(SampledValueType, MeasurandEnumType and appendix "Standardized Units of Measure"). Stations cannot be changed, so
they are read in any letters. Energy becomes whole watt-hours, other quantities keep four digits after the point.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from api.forms import METER_MAX_WH, described

ENERGY_REGISTER = "Energy.Active.Import.Register"
PERIODIC = "Sample.Periodic"
# Before the point, of quantities other than energy: 13 digits in all, as SQLite keeps decimals as floats, exact to 15.
OTHERS_MAX = 10**9
NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,40})?([eE][+-]?\d{1,2})?", re.ASCII)

# A unit in small letters -> as we keep it, and how many of ours it is.
Units = dict[str, tuple[str, Decimal]]
ONE, THOUSAND, FOUR_DIGITS = Decimal(1), Decimal(1000), Decimal("0.0001")


def _units(**kept: str) -> Units:
    return {spelled.lower(): (unit, ONE) for unit, spellings in kept.items() for spelled in (unit, *spellings.split())}


WH: Units = {"wh": ("Wh", ONE), "kwh": ("Wh", THOUSAND)}
VARH: Units = {"varh": ("varh", ONE), "kvarh": ("varh", THOUSAND)}
VAH: Units = {"vah": ("VAh", ONE), "kvah": ("VAh", THOUSAND)}
AMPERE, VOLT = _units(A="Amp Ampere Amperes"), _units(V="Volt Volts")
WATT, VAR = _units(W="Watt Watts", kW=""), _units(var="", kvar="")
PERCENT, HERTZ, RPM = _units(Percent="% pct"), _units(Hz="Hertz"), _units(RPM="1/min")
DEGREES = _units(Celsius="Celcius C °C", Fahrenheit="F °F", K="Kelvin")
SECONDS, YES = _units(s="sec Seconds"), {"": ("", ONE), **_units(Boolean="bool")}

# What OCPP 2.1 has besides (MeasurandEnumType)
_V21: dict[str, tuple[str | None, Units]] = {
    **dict.fromkeys((f"Current.{kind}" for kind in ("Export.Offered", "Export.Minimum")), ("A", AMPERE)),
    **dict.fromkeys((f"Current.{kind}" for kind in ("Import.Offered", "Import.Minimum")), ("A", AMPERE)),
    **dict.fromkeys(
        (f"Display.{kind}SOC" for kind in ("Present", "Minimum", "Target", "Maximum")), ("Percent", PERCENT)
    ),
    **dict.fromkeys((f"Display.RemainingTimeTo{kind}SOC" for kind in ("Minimum", "Target", "Maximum")), ("s", SECONDS)),
    **dict.fromkeys(("Display.ChargingComplete", "Display.InletHot"), ("", YES)),
    "Display.BatteryEnergyCapacity": ("Wh", WH),
    **dict.fromkeys(("Energy.Active.Import.CableLoss", "Energy.Active.Setpoint.Interval"), ("Wh", WH)),
    **dict.fromkeys((f"EnergyRequest.{kind}" for kind in ("Target", "Minimum", "Maximum", "Bulk")), ("Wh", WH)),
    **dict.fromkeys(("EnergyRequest.Minimum.V2X", "EnergyRequest.Maximum.V2X"), ("Wh", WH)),
    **dict.fromkeys(("Power.Active.Setpoint", "Power.Active.Residual"), (None, WATT)),
    **dict.fromkeys(
        (f"Power.{way}.{kind}" for way in ("Import", "Export") for kind in ("Offered", "Minimum")), (None, WATT)
    ),
    **dict.fromkeys(("Voltage.Minimum", "Voltage.Maximum"), ("V", VOLT)),
}
# The first unit is meant where none is told, unless several are left to guess from (None).
MEASURANDS: dict[str, tuple[str | None, Units]] = {
    **dict.fromkeys(("Current.Export", "Current.Import", "Current.Offered"), ("A", AMPERE)),
    **{
        f"Energy.Active.{kind}": ("Wh", WH)
        for kind in ("Export.Interval", "Export.Register", "Import.Interval", "Import.Register", "Net")
    },
    **{
        f"Energy.Reactive.{kind}": (None, VARH)
        for kind in ("Export.Interval", "Export.Register", "Import.Interval", "Import.Register", "Net")
    },
    **{f"Energy.Apparent.{kind}": (None, VAH) for kind in ("Export", "Import", "Net")},
    "Frequency": ("Hz", HERTZ),
    **dict.fromkeys(("Power.Active.Export", "Power.Active.Import", "Power.Offered"), (None, WATT)),
    "Power.Factor": ("", {"": ("", ONE), **PERCENT}),
    **dict.fromkeys(("Power.Reactive.Export", "Power.Reactive.Import"), (None, VAR)),
    "RPM": ("RPM", RPM),
    "SoC": ("Percent", PERCENT),
    "Temperature": (None, DEGREES),
    "Voltage": ("V", VOLT),
    **_V21,
}
PHASES = ["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
CONTEXTS = [
    "Interruption.Begin",
    "Interruption.End",
    "Other",
    "Sample.Clock",
    PERIODIC,
    "Transaction.Begin",
    "Transaction.End",
    "Trigger",
]
# Where it was measured, if not at the outlet: the state of charge is the car's.
LOCATIONS = {"outlet"}
WORDS = ("measurand", "unit", "phase", "context", "location", "format")
MEMBERS = {"sampled_at", "value", "measurand", "unit", "phase", "context", "location", "format"}

_BY_LETTERS = {name.lower(): name for name in MEASURANDS}
_PHASE = {name.lower(): name for name in PHASES}
_CONTEXT = {name.lower(): name for name in CONTEXTS}


@dataclass(frozen=True)
class Sample:
    """One sampled value (OCPP 2.0.1 SampledValueType)."""

    sampled_at: datetime
    value: Decimal
    measurand: str = ENERGY_REGISTER
    unit: str = "Wh"
    phase: str = ""
    context: str = PERIODIC
    at_inlet: bool = False  # read where the station draws from the grid, as nothing is said of the outlet itself

    @property
    def key(self) -> tuple[datetime, str, str, str]:
        """What makes it another value rather than the same one reported again."""
        return (self.sampled_at, self.measurand, self.phase, self.context)


@dataclass(frozen=True)
class Aside:
    """What was said and is not taken. `subject`: what it is counted by, up to 60 letters; `index`: where in a list."""

    subject: str
    reason: str
    said: Any  # as it came, JSON
    index: int = 0


class NotUnderstood(Exception):
    """`subject`: the word or kind that is not known, in few letters, as such things are counted by it."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(reason)
        self.subject = subject


def sample_read(said: Mapping[str, Any], sampled_at: datetime) -> Sample:
    """What a station said of one value, as a sample; raises NotUnderstood. `sampled_at` was read from it already."""
    if not said.keys() <= MEMBERS:
        # It may change what the value means (a multiplier), so the value is left aside, not the member alone.
        raise _not_one_of("member", min(said.keys() - MEMBERS), sorted(MEMBERS))
    words = tuple(map(said.get, WORDS))
    try:
        meaning = _meaning(words)
    except TypeError:  # a list or an object, which no cache knows
        meaning = _meaning.__wrapped__(words)
    return Sample(
        sampled_at=sampled_at,
        value=_quantity(said.get("value"), meaning.scale, is_energy=meaning.is_energy),
        measurand=meaning.measurand,
        unit=meaning.unit,
        phase=meaning.phase,
        context=meaning.context,
    )


@dataclass(frozen=True)
class Meaning:
    """What the words beside a value say of it; `scale`: how many of our unit the station's is."""

    measurand: str
    unit: str
    scale: Decimal
    is_energy: bool
    phase: str
    context: str


@lru_cache(maxsize=4096)  # a station says the same words all its life
def _meaning(words: tuple[Any, ...]) -> Meaning:
    said = dict(zip(WORDS, words, strict=True))
    measurand = _word(said, "measurand", _BY_LETTERS, ENERGY_REGISTER)
    default, units = MEASURANDS[measurand]
    told = _text(said, "unit") or default
    if told is None or told.lower() not in units:
        raise _not_one_of(f"{measurand}, unit", said.get("unit"), sorted({unit for unit, _ in units.values()}))
    unit, scale = units[told.lower()]
    _at_the_outlet(said, measurand)
    return Meaning(
        measurand=measurand,
        unit=unit,
        scale=scale,
        is_energy=units is WH,
        phase=_word(said, "phase", _PHASE, ""),
        context=_CONTEXT.get(_text(said, "context", PERIODIC).lower(), "Other"),  # says when, never what
    )


def _at_the_outlet(said: Mapping[str, Any], measurand: str) -> None:
    """Another place of measuring is another value, which would stand for this one; signed data are no number."""
    location, form = _text(said, "location", "Outlet"), _text(said, "format", "Raw")
    if location.lower() not in (LOCATIONS | {"ev"} if measurand == "SoC" else LOCATIONS):
        raise _not_one_of("location", location, ["Outlet"])
    if form.lower() != "raw":
        raise _not_one_of("format", form, ["Raw"])


def _quantity(said: Any, scale: Decimal, *, is_energy: bool) -> Decimal:
    """The number in our unit: whole for energy, else with four digits; more of them is noise of a float."""
    text = repr(said) if isinstance(said, float) else str(said)
    if isinstance(said, bool) or not NUMBER.fullmatch(text):
        raise NotUnderstood("value", f"value: expected a number, got {described(said)}")
    exact = Decimal(text) if scale is ONE else Decimal(text) * scale
    if abs(exact) > METER_MAX_WH if is_energy else abs(exact) >= OTHERS_MAX:
        raise NotUnderstood("value", f"value: expected a number that a meter can show, got {described(said)}")
    if is_energy:
        return exact.quantize(ONE, ROUND_HALF_UP) + 0  # -0 is 0
    return exact.quantize(FOUR_DIGITS, ROUND_HALF_EVEN) + 0


def _word(said: Mapping[str, Any], name: str, known: Mapping[str, str], default: str) -> str:
    text = _text(said, name)
    if not text:
        return default
    if text.lower() not in known:
        raise _not_one_of(name, text, list(known.values()))
    return known[text.lower()]


def _text(said: Mapping[str, Any], name: str, default: str = "") -> str:
    """The member's text without spaces around it; what is missing, null or empty is the default."""
    value = said.get(name)
    if value is None or value == "":
        return default
    if not isinstance(value, str):
        raise NotUnderstood(name, f"{name}: expected text, got {described(value)}")
    return value.strip()


def _not_one_of(name: str, got: Any, expected: list[str]) -> NotUnderstood:
    shown = described(got)
    choice = " or ".join(expected) if len(expected) <= len(PHASES) else f"a {name} of OCPP"
    return NotUnderstood(f"{name} {shown}"[:60], f"{name}: expected {choice}, got {shown}")
