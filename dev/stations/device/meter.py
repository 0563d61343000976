"""PURE: the power that a car takes, what its meter counts, and what a station samples of that.

AC: power rises, stays, and falls in the last third, as the battery fills. DC: it follows the battery's state of charge.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dev.stations.device.faults import Faults
from dev.stations.device.settings import ENERGY
from dev.stations.device.state import Charge, Outlet
from dev.stations.device.told import Told

RAMP_S = 20.0
FULL_POWER_UNTIL_SOC = 55.0
LEAST_SHARE = 0.15
FIRST_SOC = 22.0
STEP_S = 1.0


@dataclass(frozen=True)
class Sample:
    """One sampled value, before a version of OCPP writes it."""

    measurand: str
    value: float
    unit: str
    context: str
    phase: str = ""
    location: str = ""
    signed: str = ""  # what the meter signed of it, in OCMF


def power_at(told: Told, charge: Charge, moment: float) -> float:
    """What the car would take then, in W."""
    second = moment - charge.flowed_since
    rising = min(1.0, max(0.0, second) / RAMP_S)
    if told.current == "DC":
        filling = max(0.0, charge.soc - FULL_POWER_UNTIL_SOC) / (100.0 - FULL_POWER_UNTIL_SOC)
        return 0.0 if charge.soc >= 100.0 else told.power_w * rising * max(LEAST_SHARE, 1 - filling)
    third = max(1.0, told.charge_s / 3)
    filling = min(1.0, max(0.0, second - 2 * third) / third)
    return told.power_w * rising * (1 - 0.7 * filling)


def count(told: Told, outlet: Outlet, until: float, limit_w: Callable[[float], float]) -> None:
    """Let the meter count what has flowed since it did last; never more power than the limit at that moment."""
    charge = outlet.charge
    if charge is None or not charge.flows:
        return
    while charge.metered < until:
        step = min(STEP_S, until - charge.metered)
        moment = charge.metered + step
        add(told, outlet, min(power_at(told, charge, moment), limit_w(moment)) * step / 3600)
        charge.metered = moment


def add(told: Told, outlet: Outlet, energy_wh: float) -> None:
    """So much has flowed: into the meter, and into the battery."""
    outlet.meter_wh += energy_wh
    if outlet.charge is not None:
        outlet.charge.soc = min(100.0, outlet.charge.soc + 100 * energy_wh / told.battery_wh)


def register_wh(outlet: Outlet, faults: Faults) -> int:
    """What the meter shows, in whole Wh."""
    return int(outlet.meter_wh) % faults.rollover_wh if faults.rollover_wh else int(outlet.meter_wh)


def samples(
    told: Told, outlet: Outlet, measurands: Sequence[str], context: str, power_w: float, faults: Faults
) -> list[Sample]:
    """What the station reports of an outlet now, of the measurands that it is set to."""
    phases = [f"L{number}" for number in range(1, told.phases + 1)] if told.current == "AC" else [""]
    found: list[Sample] = []
    for measurand in measurands:
        if measurand == ENERGY:
            found += _energy(outlet, context, phases, faults)
        elif measurand == "Power.Active.Import":
            found.append(Sample(measurand, round(power_w), "W", context))
        elif measurand == "Current.Import":
            ampere = round(power_w / len(phases) / told.voltage, 1)
            found += (Sample(measurand, ampere, "A", context, phase) for phase in phases)
        elif measurand == "Voltage":
            named = [f"{phase}-N" if phase else "" for phase in phases]
            found += (Sample(measurand, told.voltage, "V", context, phase) for phase in named)
        elif measurand == "SoC" and outlet.charge is not None:
            found.append(Sample(measurand, round(outlet.charge.soc), "Percent", context, location="EV"))
    return found


def _energy(outlet: Outlet, context: str, phases: Sequence[str], faults: Faults) -> list[Sample]:
    shown = register_wh(outlet, faults)
    whole, unit = (shown / 1000, "kWh") if faults.kwh else (float(shown), "Wh")
    found = [] if faults.without_total else [Sample(ENERGY, whole, unit, context)]
    if faults.locations:
        found = [Sample(ENERGY, whole, unit, context, location=location) for location in faults.locations]
    if faults.by_phase:
        share = round(whole / len(phases), 3)
        found += (Sample(ENERGY, share, unit, context, phase) for phase in phases)
    return found
