"""PURE: charging profiles, the lowest limit that is in force at a moment, and the schedule that follows from all.

Of each purpose the profile of the highest stack level rules that has something to say at that moment; a TxProfile goes
before a TxDefaultProfile; and of what rules, the lowest limit counts. A limit of the whole station is shared evenly.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dev.stations.device.clock import read_time
from dev.stations.device.state import Charge, Json
from dev.stations.device.told import Told

RECURRING_S = {"Daily": 86_400.0, "Weekly": 7 * 86_400.0}
STATION_WIDE = ("ChargingStationMaxProfile", "ChargePointMaxProfile")
# Beside the limits of a charge itself
ABOVE = ("ChargingStationExternalConstraints", *STATION_WIDE, "LocalGeneration")


@dataclass(frozen=True)
class Situation:
    """For what a limit is asked: an outlet, its charge, and among how many charges the station's limit is shared."""

    told: Told
    outlet: int
    charge: Charge | None = None
    sharing: int = 1


def limit_w(profiles: Sequence[Json], asked: Situation, moment: float) -> float:
    """The most power in W that the outlet may give then; what it can give, where nothing limits it."""
    found = [float(asked.told.power_w)]
    for purpose in ABOVE:
        ruling = _ruling(profiles, purpose, asked, moment)
        if ruling is not None:
            shared = asked.sharing if purpose in STATION_WIDE else 1
            found.append(ruling / max(1, shared))
    of_charge = _ruling(profiles, "TxProfile", asked, moment) if asked.charge else None
    if of_charge is None:
        of_charge = _ruling(profiles, "TxDefaultProfile", asked, moment)
    return min([*found, *([] if of_charge is None else [of_charge])])


def composite(profiles: Sequence[Json], asked: Situation, start: float, duration: int, unit: str) -> list[Json]:
    """The periods that follow from all profiles, from `start` on."""
    changes = {start}
    for kept in profiles:
        changes |= {moment for moment in _changes(kept["profile"], asked, start, start + duration) if moment > start}
    periods: list[Json] = []
    for moment in sorted(change for change in changes if change < start + duration):
        watts = limit_w(profiles, asked, moment)
        limit = round(watts if unit == "W" else watts / ampere_w(asked.told), 1)
        if not periods or periods[-1]["limit"] != limit:
            periods.append({"startPeriod": round(moment - start), "limit": limit})
    return periods


def ampere_w(told: Told, phases: int | None = None) -> float:
    """How many watts an ampere is, on so many phases (all that there are)."""
    return told.voltage * (min(phases or told.phases, told.phases) if told.current == "AC" else 1)


def schedules(profile: Mapping[str, Any]) -> list[Json]:
    """The schedules of a profile: one in 1.6, a list of up to three in 2.x."""
    said = profile["chargingSchedule"]
    return list(said) if isinstance(said, list) else [said]


def number_of(profile: Mapping[str, Any]) -> int:
    """Its id, which each version calls differently."""
    return int(profile.get("id", profile.get("chargingProfileId", 0)))


def _ruling(profiles: Sequence[Json], purpose: str, asked: Situation, moment: float) -> float | None:
    best: tuple[tuple[int, bool], float] | None = None
    for kept in profiles:
        profile, outlet = kept["profile"], kept["outlet"]
        if profile["chargingProfilePurpose"] != purpose or outlet not in (0, asked.outlet):
            continue
        said = _said(profile, asked, moment)
        rank = (profile["stackLevel"], outlet != 0)
        if said is not None and (best is None or rank > best[0]):
            best = (rank, said)
    return None if best is None else best[1]


def _said(profile: Mapping[str, Any], asked: Situation, moment: float) -> float | None:
    """What a profile says of a moment, in W; None where it says nothing."""
    of_charge = profile.get("transactionId")
    if of_charge is not None and (asked.charge is None or of_charge not in (asked.charge.key, asked.charge.number)):
        return None
    if "validFrom" in profile and moment < read_time(profile["validFrom"]):
        return None
    if "validTo" in profile and moment >= read_time(profile["validTo"]):
        return None
    schedule = schedules(profile)[0]
    second = moment - _start(profile, schedule, asked, moment)
    if second < 0 or ("duration" in schedule and second >= schedule["duration"]):
        return None
    begun = [period for period in schedule["chargingSchedulePeriod"] if period["startPeriod"] <= second]
    if not begun or "limit" not in begun[-1]:
        return None
    period = begun[-1]
    factor = ampere_w(asked.told, period.get("numberPhases")) if schedule["chargingRateUnit"] == "A" else 1
    return float(period["limit"]) * factor


def _start(profile: Mapping[str, Any], schedule: Mapping[str, Any], asked: Situation, moment: float) -> float:
    """When the schedule that holds at a moment has begun."""
    if profile["chargingProfileKind"] == "Relative" or "startSchedule" not in schedule:
        return asked.charge.began if asked.charge else moment
    start = read_time(schedule["startSchedule"])
    if profile["chargingProfileKind"] == "Recurring" and moment > start:
        every = RECURRING_S[profile.get("recurrencyKind", "Daily")]
        return moment - (moment - start) % every
    return start


def _changes(profile: Mapping[str, Any], asked: Situation, start: float, end: float) -> Iterator[float]:
    """When what a profile says may become another, between two moments."""
    yield from (read_time(profile[name]) for name in ("validFrom", "validTo") if name in profile)
    schedule = schedules(profile)[0]
    moments = [float(period["startPeriod"]) for period in schedule["chargingSchedulePeriod"]]
    moments += [float(schedule["duration"])] if "duration" in schedule else []
    every = RECURRING_S[profile.get("recurrencyKind", "Daily")]
    begun = _start(profile, schedule, asked, start)
    while begun < end:
        yield from (begun + moment for moment in moments)
        if profile["chargingProfileKind"] != "Recurring":
            return
        begun += every
