"""The commands of OCPP 2.1: those of 2.0.1, tariffs, and priority. The wire answers NotImplemented to others of 2.1."""

from typing import TYPE_CHECKING

from dev.stations.commands.registry import Registry, accepted, status
from dev.stations.commands.v2 import COMMANDS as V2
from dev.stations.device.state import Json

if TYPE_CHECKING:
    from dev.stations.station import Station

COMMANDS = Registry()
COMMANDS.update(V2)


@COMMANDS("SetDefaultTariff")
def _set_default(station: "Station", said: Json) -> Json:
    station.state.tariffs[str(said["evseId"])] = said["tariff"]
    return accepted()


@COMMANDS("GetTariffs")
def _get(station: "Station", said: Json) -> Json:
    found = {number: tariff for number, tariff in station.state.tariffs.items() if said["evseId"] in (0, int(number))}
    if not found:
        return status("NoTariff")
    rows = [
        {"tariffId": tariff["tariffId"], "tariffKind": "DefaultTariff", "evseIds": [int(number)]}
        for number, tariff in found.items()
    ]
    return {**accepted(), "tariffAssignments": rows}


@COMMANDS("ClearTariffs")
def _clear(station: "Station", said: Json) -> Json:
    wanted, number = said.get("tariffIds"), said.get("evseId", 0)
    results = []
    for place, tariff in list(station.state.tariffs.items()):
        if number in (0, int(place)) and (wanted is None or tariff["tariffId"] in wanted):
            del station.state.tariffs[place]
            results.append({"tariffId": tariff["tariffId"], **accepted()})
    missing = [one for one in wanted or [] if one not in {result["tariffId"] for result in results}]
    results += ({"tariffId": one, **status("NoTariff")} for one in missing)
    return {"clearTariffsResult": results or [status("NoTariff")]}


@COMMANDS("ChangeTransactionTariff")
def _change(station: "Station", said: Json) -> Json:
    return accepted(when=station.charge_of(said["transactionId"]) is not None, otherwise="TxNotFound")


@COMMANDS("UsePriorityCharging")
def _priority(station: "Station", said: Json) -> Json:
    """It is taken where a profile says what priority is; the simulated car draws no other power for it."""
    charge = station.charge_of(said["transactionId"])
    if charge is None:
        return status("Rejected")
    purposes = {kept["profile"]["chargingProfilePurpose"] for kept in station.state.profiles}
    return accepted(when="PriorityCharging" in purposes, otherwise="NoProfile")
