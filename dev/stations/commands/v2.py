"""The commands of OCPP 2.0.1; OCPP 2.1 has them all."""

from typing import TYPE_CHECKING

from dev.stations.commands import certificates, reports, shared, smart
from dev.stations.commands.registry import Registry, accepted, status
from dev.stations.device.clock import read_time
from dev.stations.device.state import Json, Reservation
from dev.stations.device.told import Token

if TYPE_CHECKING:
    from dev.stations.station import Station

COMMANDS = Registry()
for listed in (smart.V2, certificates.V2, reports.COMMANDS):
    COMMANDS.update(listed)
VENDOR = "org.evportal.simulator"  # whose DataTransfer it understands
CUSTOMER_PART = 512  # characters that one message takes


@COMMANDS("RequestStartTransaction")
def _start(station: "Station", said: Json) -> Json:
    number = shared.remote_start(station, said.get("evseId"), Token.read(said["idToken"]), said["remoteStartId"])
    if number is None:
        return status("Rejected")
    if "chargingProfile" in said:
        station.state.profiles.append({"outlet": number, "profile": said["chargingProfile"]})
    charge = station.state.outlets[number].charge
    return accepted() | ({"transactionId": charge.key} if charge else {})


@COMMANDS("RequestStopTransaction")
def _stop(station: "Station", said: Json) -> Json:
    charge = station.charge_of(said["transactionId"])
    if charge is None:
        return status("Rejected")
    shared.remote_stop(station, charge.outlet)
    return accepted()


@COMMANDS("UnlockConnector")
def _unlock(station: "Station", said: Json) -> Json:
    number = said["evseId"]
    outlet = station.state.outlets.get(number)
    if outlet is None or said["connectorId"] != 1:
        return status("UnknownConnector")
    if outlet.charge is not None and outlet.charge.token is not None:
        return status("OngoingAuthorizedTransaction")

    async def unlock() -> None:
        station.charging.unplug(number)

    station.later(unlock)
    return status("Unlocked")


@COMMANDS("Reset")
def _reset(station: "Station", said: Json) -> Json:
    on_idle = said["type"] == "OnIdle"
    boot_reason = "ScheduledReset" if on_idle else "RemoteReset"
    now = shared.reset(station, reason="ImmediateReset", boot_reason=boot_reason, on_idle=on_idle)
    return status("Accepted" if now else "Scheduled")


@COMMANDS("ChangeAvailability")
def _availability(station: "Station", said: Json) -> Json:
    number = said.get("evse", {}).get("id", 0)
    return status(shared.availability(station, number, said["operationalStatus"] == "Operative"))


@COMMANDS("ClearCache")
def _clear_cache(station: "Station", said: Json) -> Json:
    station.state.cache = {}
    return accepted()


@COMMANDS("ReserveNow")
def _reserve(station: "Station", said: Json) -> Json:
    until, group = read_time(said["expiryDateTime"]), said.get("groupIdToken", {}).get("idToken", "")
    wanted = Reservation(said["id"], said.get("evseId", 0), said["idToken"]["idToken"], group, until)
    return status(shared.reserve(station, wanted))


@COMMANDS("CancelReservation")
def _cancel_reservation(station: "Station", said: Json) -> Json:
    return accepted(when=shared.cancel_reservation(station, said["reservationId"]))


@COMMANDS("SendLocalList")
def _send_local_list(station: "Station", said: Json) -> Json:
    entries = said.get("localAuthorizationList", [])
    told = (said["versionNumber"], said["updateType"], entries)
    return status(shared.set_local_list(station, *told, lambda entry: entry["idToken"]["idToken"], "idTokenInfo"))


@COMMANDS("GetLocalListVersion")
def _local_list_version(station: "Station", said: Json) -> Json:
    return {"versionNumber": station.state.local_list_version}


@COMMANDS("UpdateFirmware")
def _update_firmware(station: "Station", said: Json) -> Json:
    firmware, number = said["firmware"], said["requestId"]

    def told(step: str) -> Json:
        return {"status": step, "requestId": number}

    times = (firmware["location"], firmware["retrieveDateTime"])
    action, signed = "FirmwareStatusNotification", "signature" in firmware
    shared.update_firmware(station, *times, action=action, said=told, signed=signed)
    return accepted()


@COMMANDS("PublishFirmware")
def _publish_firmware(station: "Station", said: Json) -> Json:
    return status("Rejected")  # it is no local controller


@COMMANDS("UnpublishFirmware")
def _unpublish_firmware(station: "Station", said: Json) -> Json:
    return status("NoFirmware")


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


@COMMANDS("GetTransactionStatus")
def _transaction_status(station: "Station", said: Json) -> Json:
    key = said.get("transactionId")
    waiting = any(key is None or message.charge == key for message in station.state.queue)
    going = {} if key is None else {"ongoingIndicator": station.charge_of(key) is not None}
    return {"messagesInQueue": waiting, **going}


@COMMANDS("CostUpdated")
def _cost_updated(station: "Station", said: Json) -> Json:
    station.costs[said["transactionId"]] = said["totalCost"]
    return {}


@COMMANDS("SetDisplayMessage")
def _set_message(station: "Station", said: Json) -> Json:
    message, state = said["message"], station.state
    if "transactionId" in message and station.charge_of(message["transactionId"]) is None:
        return status("UnknownTransaction")
    state.messages = [*(one for one in state.messages if one["id"] != message["id"]), message]
    return accepted()


@COMMANDS("GetDisplayMessages")
def _get_messages(station: "Station", said: Json) -> Json:
    wanted = {name: said[name] for name in ("priority", "state") if name in said}
    found = [
        one
        for one in station.state.messages
        if one["id"] in said.get("id", [one["id"]]) and all(one.get(name) == value for name, value in wanted.items())
    ]
    if not found:
        return status("Unknown")
    told = {"requestId": said["requestId"], "messageInfo": found, "tbc": False}
    shared.call_later(station, "NotifyDisplayMessages", lambda: told)
    return accepted()


@COMMANDS("ClearDisplayMessage")
def _clear_message(station: "Station", said: Json) -> Json:
    kept = [one for one in station.state.messages if one["id"] != said["id"]]
    found = len(kept) < len(station.state.messages)
    station.state.messages = kept
    return accepted(when=found, otherwise="Unknown")


@COMMANDS("CustomerInformation")
def _customer_information(station: "Station", said: Json) -> Json:
    uid = said.get("idToken", {}).get("idToken", said.get("customerIdentifier"))
    if uid is None:
        return status("Invalid")
    state = station.state
    known = {"localList": state.local_list.get(uid), "cache": state.cache.get(uid)}
    text = f"{uid}: " + ", ".join(f"{place}={info['status']}" for place, info in known.items() if info)
    if said["clear"]:
        state.local_list.pop(uid, None)
        state.cache.pop(uid, None)
    if said["report"]:
        parts = [text[begin : begin + CUSTOMER_PART] for begin in range(0, len(text), CUSTOMER_PART)]
        for place, part in enumerate(parts):
            told: Json = {"data": part, "seqNo": place, "tbc": place + 1 < len(parts)}
            told |= {"generatedAt": station.clock.text(), "requestId": said["requestId"]}
            shared.call_later(station, "NotifyCustomerInformation", lambda told=told: told)  # type: ignore[misc]
    return accepted()


@COMMANDS("SetNetworkProfile")
def _set_network(station: "Station", said: Json) -> Json:
    """Kept, and not used: the demo has one CSMS only."""
    station.state.networks[str(said["configurationSlot"])] = said["connectionData"]
    return accepted()


@COMMANDS("TriggerMessage")
def _trigger(station: "Station", said: Json) -> Json:
    wanted, number = said["requestedMessage"], said.get("evse", {}).get("id")
    if number is not None and number not in station.state.outlets:
        return status("Rejected")
    if wanted == "BootNotification":
        shared.trigger_boot(station)
    elif wanted == "StatusNotification":
        shared.trigger_statuses(station, number)
    elif wanted == "MeterValues":
        shared.trigger_meter_values(station, number or 0)
    elif wanted == "TransactionEvent":
        charging = [one for one, outlet in station.state.outlets.items() if outlet.charge and number in (None, one)]
        for one in charging:
            shared.trigger_meter_values(station, one)
        return accepted(when=bool(charging))
    elif wanted in ("SignChargingStationCertificate", "SignV2GCertificate", "SignCombinedCertificate"):
        kind = "V2GCertificate" if wanted == "SignV2GCertificate" else certificates.OURS
        certificates.ask_to_sign(station, kind)
    elif wanted == "Heartbeat":
        shared.call_later(station, wanted, dict)
    elif wanted in ("FirmwareStatusNotification", "LogStatusNotification", "PublishFirmwareStatusNotification"):
        shared.call_later(station, wanted, lambda: status("Idle"))
    else:
        return status("NotImplemented")
    return accepted()
