"""PURE: the meter values of OCPP 2.0.1 and 2.1 (MeterValueType) as samples; what is not understood is told apart.

A value is a JSON number, its unit in `unitOfMeasure`: {"unit": "Wh", "multiplier": 3} are kilowatt-hours. The times are
the station's own. What is signed beside a plain value is read elsewhere (stations/metering/received.py).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from api.forms import described
from stations.charging.asides import Aside
from stations.charging.located import Located, chosen, located_read
from stations.charging.vocabulary import ENERGY_REGISTER, NotUnderstood, Sample

TimeRead = Callable[[object], datetime]
BEGIN, END = "Transaction.Begin", "Transaction.End"
# A power of ten that a meter can mean: from femto to peta.
MULTIPLIER_MAX = 15
PHASES_ALONE = {"L1", "L2", "L3", "L1-N", "L2-N", "L3-N"}
MEMBERS = ("measurand", "phase", "context", "location")


def read(meter_values: Iterable[Mapping[str, Any]], time_read: TimeRead) -> tuple[list[Sample], list[Aside]]:
    """Samples by the station's own clock, and what is not understood of them; `time_read`: its times."""
    samples: list[Sample] = []
    asides: list[Aside] = []
    for meter_value in meter_values:
        sampled_at = time_read(meter_value.get("timestamp"))
        found: list[Located] = []
        for index, said in enumerate(meter_value.get("sampledValue") or ()):
            try:
                found.append(located_read(_plain(said), sampled_at))
            except NotUnderstood as error:
                asides.append(Aside(error.subject, str(error), _unsigned(said), index))
        taken, elsewhere = chosen(found)
        samples += taken
        asides += elsewhere
    return samples, asides


def _plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """As the vocabulary reads it: the number without its power of ten, the unit beside it."""
    unit = said.get("unitOfMeasure") or {}
    plain = {name: said[name] for name in MEMBERS if name in said}
    return plain | {"value": _scaled(said.get("value"), unit.get("multiplier", 0)), "unit": unit.get("unit")}


def _scaled(number: Any, multiplier: Any) -> Any:
    """Exactly the number times that power of ten, as a text; as it came where it is no number."""
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return number
    if isinstance(multiplier, bool) or not isinstance(multiplier, int) or abs(multiplier) > MULTIPLIER_MAX:
        words = f"expected a power of ten from -{MULTIPLIER_MAX} to {MULTIPLIER_MAX}, got {described(multiplier)}"
        raise NotUnderstood("multiplier", f"multiplier: {words}")
    exact = Decimal(repr(number))
    return f"{exact.scaleb(multiplier):f}" if exact.is_finite() and exact.adjusted() < 40 else repr(number)


def _unsigned(said: Mapping[str, Any]) -> dict[str, Any]:
    """What an operator has to see of it; signed data are long, and stand in the message log."""
    return {name: value for name, value in said.items() if name != "signedMeterValue"}


# --- The register


@dataclass(frozen=True)
class Reading:
    """What the energy register showed, all phases together, in Wh."""

    at: datetime
    context: str
    wh: int


def readings_of(samples: Sequence[Sample]) -> list[Reading]:
    """What the energy register showed, in the order of time; the sum of the phases where no total is told."""
    register = [one for one in samples if one.measurand == ENERGY_REGISTER and one.unit == "Wh"]
    register.sort(key=lambda one: (one.sampled_at, one.context))
    found = []
    for (at, context), group in groupby(register, key=lambda one: (one.sampled_at, one.context)):
        by_phase = {one.phase: int(one.value) for one in group}
        alone = [wh for phase, wh in by_phase.items() if phase in PHASES_ALONE]
        if "" in by_phase or alone:
            found.append(Reading(at, context, by_phase.get("", sum(alone))))
    return found


def begin_wh(readings: Sequence[Reading], *, is_first: bool) -> int | None:
    """What the register showed at the start; `is_first`: no energy had flowed before these."""
    begun = [one.wh for one in readings if one.context == BEGIN]
    return next(iter(begun or ([one.wh for one in readings] if is_first else [])), None)


def end_wh(readings: Sequence[Reading]) -> int | None:
    """What it showed at the end, of a message that tells the end."""
    ended = [one.wh for one in readings if one.context == END]
    return next(reversed(ended or [one.wh for one in readings if one.context != BEGIN]), None)
