"""Smart charging in all versions: profiles are kept as they were told, and asked by dev/stations/device/limits.py."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dev.stations.commands.registry import Registry, accepted, status
from dev.stations.commands.shared import call_later
from dev.stations.device import limits
from dev.stations.device.limits import Situation
from dev.stations.device.state import Json

if TYPE_CHECKING:
    from dev.stations.station import Station

V16, V2 = Registry(), Registry()
OUTLET = {"1.6": "connectorId", "2.0.1": "evseId", "2.1": "evseId"}
STATION_WIDE = (*limits.STATION_WIDE, "ChargingStationExternalConstraints")


def keep_profile(station: "Station", number: int, profile: Json) -> bool:
    """Keep a profile instead of those with its id, or its purpose and level; False where it cannot be."""
    purpose, outlets = profile["chargingProfilePurpose"], station.state.outlets
    if (number and number not in outlets) or (number and purpose in STATION_WIDE):
        return False
    if purpose == "TxProfile" and (not number or not _of_its_charge(station, number, profile)):
        return False
    same = (number, purpose, profile["stackLevel"])
    station.state.profiles = [kept for kept in station.state.profiles if not _replaced(kept, profile, same)]
    station.state.profiles.append({"outlet": number, "profile": profile})
    for one in outlets:
        station.charging.count(one)
    return True


def _of_its_charge(station: "Station", number: int, profile: Mapping[str, Any]) -> bool:
    outlet = station.state.outlets[number]
    named = profile.get("transactionId")
    if outlet.charge is None:
        return named is None and outlet.token is not None  # told with a start
    return named is None or named in (outlet.charge.key, outlet.charge.number)


def _replaced(kept: Json, profile: Json, same: tuple[int, str, int]) -> bool:
    old = kept["profile"]
    place = (kept["outlet"], old["chargingProfilePurpose"], old["stackLevel"])
    return limits.number_of(old) == limits.number_of(profile) or place == same


@V16("SetChargingProfile")
def _set_16(station: "Station", said: Json) -> Json:
    return accepted(when=keep_profile(station, said["connectorId"], said["csChargingProfiles"]))


@V2("SetChargingProfile")
def _set_2(station: "Station", said: Json) -> Json:
    return accepted(when=keep_profile(station, said["evseId"], said["chargingProfile"]))


@V16("ClearChargingProfile")
def _clear_16(station: "Station", said: Json) -> Json:
    wanted = {"number": said.get("id"), "outlet": said.get("connectorId")}
    return _cleared(station, wanted | {"purpose": said.get("chargingProfilePurpose"), "level": said.get("stackLevel")})


@V2("ClearChargingProfile")
def _clear_2(station: "Station", said: Json) -> Json:
    of = said.get("chargingProfileCriteria", {})
    wanted = {"number": said.get("chargingProfileId"), "outlet": of.get("evseId")}
    return _cleared(station, wanted | {"purpose": of.get("chargingProfilePurpose"), "level": of.get("stackLevel")})


def _facts(kept: Json) -> Json:
    profile = kept["profile"]
    named = {"number": limits.number_of(profile), "purpose": profile["chargingProfilePurpose"]}
    return named | {"outlet": kept["outlet"], "level": profile["stackLevel"]}


def _matches(kept: Json, wanted: Mapping[str, Any]) -> bool:
    facts = _facts(kept)
    return all(facts[name] == value for name, value in wanted.items() if value is not None)


def _cleared(station: "Station", wanted: Mapping[str, Any]) -> Json:
    kept = [one for one in station.state.profiles if not _matches(one, wanted)]
    found = len(kept) < len(station.state.profiles)
    station.state.profiles = kept
    for one in station.state.outlets:
        station.charging.count(one)
    return accepted(when=found, otherwise="Unknown")


@V16("GetCompositeSchedule")
def _composite_16(station: "Station", said: Json) -> Json:
    number, start = said["connectorId"], station.clock.now()
    if number and number not in station.state.outlets:
        return status("Rejected")
    unit = said.get("chargingRateUnit", "W")
    periods = _composite(station, number, start, said["duration"], unit)
    schedule = {"duration": said["duration"], "chargingRateUnit": unit, "chargingSchedulePeriod": periods}
    text = station.clock.text(start)
    return {**accepted(), "connectorId": number, "scheduleStart": text, "chargingSchedule": schedule}


@V2("GetCompositeSchedule")
def _composite_2(station: "Station", said: Json) -> Json:
    number, start = said["evseId"], station.clock.now()
    if number and number not in station.state.outlets:
        return status("Rejected")
    unit = said.get("chargingRateUnit", "W")
    schedule: Json = {"evseId": number, "duration": said["duration"], "scheduleStart": station.clock.text(start)}
    periods = _composite(station, number, start, said["duration"], unit)
    return {**accepted(), "schedule": {**schedule, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}}


def _composite(station: "Station", number: int, start: float, duration: int, unit: str) -> list[Json]:
    charge = station.state.outlets[number].charge if number else None
    asked = Situation(station.told, number, charge)
    return limits.composite(station.state.profiles, asked, start, duration, unit)


@V2("GetChargingProfiles")
def _get(station: "Station", said: Json) -> Json:
    of = said["chargingProfile"]
    wanted = {"outlet": said.get("evseId"), "purpose": of.get("chargingProfilePurpose"), "level": of.get("stackLevel")}
    numbers = of.get("chargingProfileId")
    found = [
        kept
        for kept in station.state.profiles
        if _matches(kept, wanted) and (numbers is None or limits.number_of(kept["profile"]) in numbers)
    ]
    outlets = sorted({kept["outlet"] for kept in found})
    for place, outlet in enumerate(outlets, 1):
        profiles = [kept["profile"] for kept in found if kept["outlet"] == outlet]
        report: Json = {"requestId": said["requestId"], "chargingLimitSource": "CSO", "evseId": outlet}
        report |= {"chargingProfile": profiles, "tbc": place < len(outlets)}
        call_later(station, "ReportChargingProfiles", lambda report=report: report)  # type: ignore[misc]
    return accepted(when=bool(found), otherwise="NoProfiles")
