"""The commands of OCPP 1.6, with those of its security whitepaper."""

from typing import TYPE_CHECKING

from dev.stations.commands import certificates, shared, smart
from dev.stations.commands.registry import Registry, accepted, status
from dev.stations.device.clock import read_time
from dev.stations.device.settings import READ_ONLY, SECRET, WRITE_ONLY
from dev.stations.device.state import Json, Reservation
from dev.stations.device.told import Token

if TYPE_CHECKING:
    from dev.stations.station import Station

COMMANDS = Registry()
COMMANDS.update(smart.V16)
COMMANDS.update(certificates.V16)
VENDOR = "org.evportal.simulator"  # whose DataTransfer it understands


@COMMANDS("RemoteStartTransaction")
def _remote_start(station: "Station", said: Json) -> Json:
    number = shared.remote_start(station, said.get("connectorId"), Token(said["idTag"]), None)
    if number is not None and "chargingProfile" in said:
        station.state.profiles.append({"outlet": number, "profile": said["chargingProfile"]})
    return accepted(when=number is not None)


@COMMANDS("RemoteStopTransaction")
def _remote_stop(station: "Station", said: Json) -> Json:
    for number, outlet in station.state.outlets.items():
        if outlet.charge is not None and outlet.charge.number == said["transactionId"]:
            shared.remote_stop(station, number)
            return accepted()
    return status("Rejected")


@COMMANDS("UnlockConnector")
def _unlock(station: "Station", said: Json) -> Json:
    number = said["connectorId"]
    if number not in station.state.outlets:
        return status("NotSupported")

    async def unlock() -> None:
        station.charging.stop(number, "UnlockCommand", "UnlockCommand")
        station.charging.unplug(number)

    station.later(unlock)
    return status("Unlocked")


@COMMANDS("Reset")
def _reset(station: "Station", said: Json) -> Json:
    shared.reset(station, reason=f"{said['type']}Reset", boot_reason="RemoteReset")
    return accepted()


@COMMANDS("ChangeAvailability")
def _availability(station: "Station", said: Json) -> Json:
    return status(shared.availability(station, said["connectorId"], said["type"] == "Operative"))


@COMMANDS("GetConfiguration")
def _get_configuration(station: "Station", said: Json) -> Json:
    settings, wanted = station.settings, said.get("key") or []
    spelled = {name.lower(): name for name in settings.known}
    known = [spelled[name.lower()] for name in wanted if name.lower() in spelled] if wanted else list(settings.known)
    unknown = [name for name in wanted if name.lower() not in spelled]
    keys = []
    for name in known:
        one = settings.known[name]
        key: Json = {"key": name, "readonly": one.mutability == READ_ONLY}
        if one.mutability != WRITE_ONLY:
            key["value"] = settings[name][:500]
        keys.append(key)
    return {"configurationKey": keys, "unknownKey": unknown}


@COMMANDS("ChangeConfiguration")
def _change_configuration(station: "Station", said: Json) -> Json:
    known = {name.lower(): one for name, one in station.settings.known.items()}.get(said["key"].lower())
    if known is None:
        return status("NotSupported")
    if known.mutability == READ_ONLY or not known.allows(said["value"]):
        return status("Rejected")
    if known.name in SECRET:
        station.state.credential = said["value"]  # used at the next connect
        return accepted()
    station.state.settings[known.name] = said["value"]
    return status("RebootRequired" if known.reboot else "Accepted")


@COMMANDS("ClearCache")
def _clear_cache(station: "Station", said: Json) -> Json:
    station.state.cache = {}
    return accepted()


@COMMANDS("ReserveNow")
def _reserve(station: "Station", said: Json) -> Json:
    until, group = read_time(said["expiryDate"]), said.get("parentIdTag", "")
    wanted = Reservation(said["reservationId"], said["connectorId"], said["idTag"], group, until)
    return status(shared.reserve(station, wanted))


@COMMANDS("CancelReservation")
def _cancel_reservation(station: "Station", said: Json) -> Json:
    return accepted(when=shared.cancel_reservation(station, said["reservationId"]))


@COMMANDS("SendLocalList")
def _send_local_list(station: "Station", said: Json) -> Json:
    entries = said.get("localAuthorizationList", [])
    told = (said["listVersion"], said["updateType"], entries)
    return status(shared.set_local_list(station, *told, lambda entry: entry["idTag"], "idTagInfo"))


@COMMANDS("GetLocalListVersion")
def _local_list_version(station: "Station", said: Json) -> Json:
    return {"listVersion": station.state.local_list_version}


@COMMANDS("UpdateFirmware")
def _update_firmware(station: "Station", said: Json) -> Json:
    action = "FirmwareStatusNotification"
    shared.update_firmware(station, said["location"], said["retrieveDate"], action=action, said=status)
    return {}


@COMMANDS("SignedUpdateFirmware")
def _signed_update(station: "Station", said: Json) -> Json:
    firmware, number = said["firmware"], said["requestId"]

    def told(step: str) -> Json:
        return {"status": step, "requestId": number}

    times = (firmware["location"], firmware["retrieveDateTime"])
    shared.update_firmware(station, *times, action="SignedFirmwareStatusNotification", said=told, signed=True)
    return accepted()


@COMMANDS("GetDiagnostics")
def _diagnostics(station: "Station", said: Json) -> Json:
    return {"fileName": shared.upload(station, "DiagnosticsStatusNotification", status)}


@COMMANDS("GetLog")
def _log(station: "Station", said: Json) -> Json:
    number = said["requestId"]
    name = shared.upload(station, "LogStatusNotification", lambda step: {"status": step, "requestId": number})
    return {**accepted(), "filename": name}


@COMMANDS("DataTransfer")
def _data_transfer(station: "Station", said: Json) -> Json:
    if said["vendorId"] != VENDOR:
        return status("UnknownVendorId")
    return accepted() | {name: said[name] for name in ("data",) if name in said}


@COMMANDS("TriggerMessage", "ExtendedTriggerMessage")
def _trigger(station: "Station", said: Json) -> Json:
    wanted, number = said["requestedMessage"], said.get("connectorId")
    if number is not None and number not in (0, *station.state.outlets):
        return status("Rejected")
    if wanted == "BootNotification":
        shared.trigger_boot(station)
    elif wanted == "StatusNotification":
        shared.trigger_statuses(station, number)
    elif wanted == "MeterValues":
        shared.trigger_meter_values(station, number or 0)
    elif wanted == "SignChargePointCertificate":
        certificates.ask_to_sign(station)
    elif wanted == "Heartbeat":
        shared.call_later(station, wanted, dict)
    elif wanted in ("FirmwareStatusNotification", "DiagnosticsStatusNotification", "LogStatusNotification"):
        shared.call_later(station, wanted, lambda: status("Idle"))
    else:
        return status("NotImplemented")
    return accepted()
