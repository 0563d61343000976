"""What a session used, from its meter values, and what that costs under the tariff that it has kept.

Nothing is stored here. `values` are (sampled_at, measurand, value, unit, phase) of its meter values, in any order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from stations.tariffs.engine import has_elements, price
from stations.tariffs.lines import lines_kept
from stations.tariffs.usage import Reading, State, Usage

if TYPE_CHECKING:
    from stations.models import ChargingSession

Value = tuple[datetime, str, Decimal, str, str]
COLUMNS = ("sampled_at", "measurand", "value", "unit", "phase")
REGISTER, POWER, CURRENT = "Energy.Active.Import.Register", "Power.Active.Import", "Current.Import"
SCALES = {"Wh": 1, "kWh": 1000, "W": 1, "kW": 1000, "A": 1}


@dataclass(frozen=True)
class Cost:
    """In minor units of the currency; `lines` as they are kept, of a tariff with elements only."""

    minor: int
    currency: str
    lines: list[dict[str, Any]] = field(default_factory=list)


def cost_of_charge(session: "ChargingSession", values: Iterable[Value], *, energy_wh: int) -> Cost | None:
    """Of one that has ended; None without a tariff. Raises TariffError where what it has kept is none."""
    assert session.stopped_at is not None
    figures = Figures(session.told_start_wh, energy_wh, session.started_at, session.stopped_at)
    return _cost(session, values, figures)


@dataclass(frozen=True)
class Figures:
    """What is reckoned with; `meter_start_wh`: what the register said at the start, where that is known."""

    meter_start_wh: int | None
    energy_wh: int
    started_at: datetime
    stopped_at: datetime


def cost_of_figures(session: "ChargingSession", figures: Figures) -> Cost | None:
    """What it costs by other figures than its own; its meter values are read where the tariff asks for them."""
    return _cost(session, values_of(session) if has_elements(session.tariff) else (), figures)


def cost_under(tariff: Mapping[str, Any], session: "ChargingSession", values: Iterable[Value]) -> Cost:
    """Of one that has ended, under another tariff's snapshot. Raises TariffError where that is none."""
    assert session.stopped_at is not None and session.energy_wh is not None
    figures = Figures(session.told_start_wh, session.energy_wh, session.started_at, session.stopped_at)
    return _priced(tariff, session, values, figures)


def _cost(session: "ChargingSession", values: Iterable[Value], figures: Figures) -> Cost | None:
    return _priced(session.tariff, session, values, figures) if session.tariff else None


def _priced(tariff: Mapping[str, Any], session: "ChargingSession", values: Iterable[Value], figures: Figures) -> Cost:
    by_elements = has_elements(tariff)
    readings = readings_of(values, figures.meter_start_wh) if by_elements else ()
    place = session.location if isinstance(session.location, Mapping) else {}
    usage = Usage(
        figures.started_at,
        max(figures.started_at, figures.stopped_at),
        max(figures.energy_wh, 0),
        readings,
        states_of(session),
        str(place.get("time_zone", "UTC")),
    )
    bill = price(tariff, usage)
    return Cost(bill.total_minor, bill.currency, lines_kept(bill.lines) if by_elements else [])


def cost_so_far(
    session: "ChargingSession", energy_wh: int | None, values: Iterable[Value] | None = None
) -> Cost | None:
    """Of a charge that goes on, as far as its newest value; None where that is not known.

    `values`: all its meter values; None: they are read, where the tariff asks for them.
    """
    if not session.tariff or energy_wh is None or energy_wh < 0:
        return None
    known = list(values or ())
    if values is None and has_elements(session.tariff):
        known = values_of(session)
    newest = max((value[0] for value in known), default=session.started_at)
    try:
        return _cost(session, known, Figures(session.told_start_wh, energy_wh, session.started_at, newest))
    except (KeyError, TypeError, ValueError, ArithmeticError):  # a row may have been altered behind our back
        return None


def values_of(session: "ChargingSession") -> list[Value]:
    """All its meter values: one query."""
    return list(session.meter_values.order_by().values_list(*COLUMNS))


STATES_MAX = 2_000


def states_with(session: "ChargingSession", at: datetime, charging: bool) -> list[list[Any]]:
    """What to keep of the station's states when it says one more."""
    kept = [state for state in session.charging_states if state[0] != at.isoformat()]
    return [*kept, [at.isoformat(), charging]][-STATES_MAX:]


def states_of(session: "ChargingSession") -> list[State]:
    """As the station said; a station that never says that it charges is not believed that it does not."""
    try:
        said = [State(datetime.fromisoformat(at), charging is True) for at, charging in session.charging_states]
    except (TypeError, ValueError):  # somebody has spoilt them
        return []
    return said if any(state.charging for state in said) else []


def readings_of(values: Iterable[Value], meter_start_wh: int | None) -> list[Reading]:
    """By moment, of all phases together: power as the station sums it up, else the sum; current is summed."""
    found: dict[datetime, dict[str, dict[str, Decimal]]] = {}
    for at, measurand, value, unit, phase in values:
        if measurand in {REGISTER, POWER, CURRENT} and unit in SCALES:
            found.setdefault(at, {}).setdefault(measurand, {})[phase] = value * SCALES[unit]
    return [_reading(at, said, meter_start_wh) for at, said in found.items()]


def _reading(at: datetime, said: Mapping[str, Mapping[str, Decimal]], meter_start_wh: int | None) -> Reading:
    register, power, current = said.get(REGISTER, {}).get(""), said.get(POWER), said.get(CURRENT)
    return Reading(
        at,
        None if register is None or meter_start_wh is None else int(register) - meter_start_wh,
        None if power is None else power.get("", _phases(power)),
        None if current is None else _phases(current) if _phases(current) is not None else current.get(""),
    )


def _phases(said: Mapping[str, Decimal]) -> Decimal | None:
    """The sum over the line conductors; None where none was told."""
    lines = [value for phase, value in said.items() if phase in {"L1", "L2", "L3", "L1-N", "L2-N", "L3-N"}]
    return sum(lines, Decimal(0)) if lines else None
