"""What commands do at a station, whatever its version calls them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dev.stations.device.clock import read_time
from dev.stations.device.state import Json, Outlet, Reservation
from dev.stations.device.told import Token

if TYPE_CHECKING:
    from dev.stations.station import Station

Said = Callable[[str], Json]


def remote_start(station: "Station", number: int | None, token: Token, remote_start_id: int | None) -> int | None:
    """Let a card charge at an outlet, or at the first that is free; returns which, None where it cannot be."""
    outlets = station.state.outlets
    free = [
        one
        for one in ([number] if number else outlets)
        if one in outlets and _waits(outlets[one]) and station.charging.free_for(one, token)
    ]
    if not free:
        return None
    free.sort(key=lambda one: not outlets[one].plugged)

    async def start() -> None:
        if not station.settings.on("authorize_remote") or await station.charging.authorized(token):
            station.charging.accept(free[0], token, "RemoteStart", remote_start_id)

    station.later(start)
    return free[0]


def _waits(outlet: Outlet) -> bool:
    return outlet.token is None and (outlet.charge is None or outlet.charge.token is None)


def remote_stop(station: "Station", number: int) -> None:
    """End the charge of an outlet when the command was answered."""

    async def stop() -> None:
        station.charging.stop(number, "Remote", "RemoteStop")

    station.later(stop)


def reset(station: "Station", *, reason: str, boot_reason: str, on_idle: bool = False) -> bool:
    """Start the station anew; returns False where charges run that it waits for."""

    async def now() -> None:
        for number in station.state.outlets:
            station.charging.stop(number, reason, "ResetCommand")
        await station.restart(boot_reason)

    async def when_idle() -> None:
        while any(outlet.charge for outlet in station.state.outlets.values()):
            await station.clock.sleep(station.pace_s)
        await now()

    waits = on_idle and any(outlet.charge for outlet in station.state.outlets.values())
    station.later(when_idle if waits else now)
    return not waits


def availability(station: "Station", number: int, operative: bool) -> str:
    """Switch an outlet (0: the station) on or off; one that charges is switched when it has ended."""
    if number and number not in station.state.outlets:
        return "Rejected"
    scheduled = False
    if not number:
        station.state.operative = operative
    for outlet in [station.state.outlets[number]] if number else station.state.outlets.values():
        if outlet.charge is not None and not operative:
            outlet.next_operative, scheduled = operative, True
        elif number or operative:
            outlet.operative, outlet.next_operative = operative, None
    station.changed()
    return "Scheduled" if scheduled else "Accepted"


def reserve(station: "Station", wanted: Reservation) -> str:
    """Keep an outlet for a card; the same number again replaces what it was for."""
    outlets = station.state.outlets
    if wanted.outlet and wanted.outlet not in outlets:
        return "Rejected"
    chosen = [outlets[wanted.outlet]] if wanted.outlet else list(outlets.values())
    if all(outlet.fault for outlet in chosen):
        return "Faulted"
    if not station.state.operative or not any(outlet.operative for outlet in chosen):
        return "Unavailable"
    others = [one for one in station.state.reservations if one.number != wanted.number]
    taken = any(one.outlet == wanted.outlet and one.until > station.clock.now() for one in others)
    if taken or all(outlet.charge is not None or outlet.plugged for outlet in chosen):
        return "Occupied"
    station.state.reservations = [*others, wanted]
    station.changed()
    return "Accepted"


def cancel_reservation(station: "Station", number: int) -> bool:
    """Keep it no more; False where there is none."""
    kept = [one for one in station.state.reservations if one.number != number]
    found = len(kept) < len(station.state.reservations)
    station.state.reservations = kept
    station.changed()
    return found


def set_local_list(
    station: "Station",
    version: int,
    kind: str,
    entries: Sequence[Mapping[str, Any]],
    uid: Callable[[Any], str],
    info: str,
) -> str:
    """Replace the local list, or change it where its version is not older than what is told."""
    state = station.state
    if kind == "Differential" and version <= state.local_list_version:
        return "VersionMismatch"
    if kind == "Full":
        state.local_list = {}
    for entry in entries:
        if info in entry:
            state.local_list[uid(entry)] = station.words.info(entry[info])
        else:
            state.local_list.pop(uid(entry), None)
    state.local_list_version = version
    return "Accepted"


def update_firmware(
    station: "Station", location: str, retrieve: str, *, action: str, said: Said, signed: bool = False
) -> None:
    """Load, check and install (all pretended), then boot; `faults.firmware` says where it goes wrong."""

    async def work() -> None:
        await station.clock.sleep(max(0.0, read_time(retrieve) - station.clock.now()) if station.clock.speed else 0.0)
        steps = ["Downloading", "Downloaded", *(["SignatureVerified"] if signed else []), "Installing"]
        failed = station.faults.firmware
        after = {"DownloadFailed": 1, "InvalidSignature": 2, "InstallationFailed": len(steps)}.get(failed, len(steps))
        for step in steps[:after]:
            await station.try_call(action, said(step))
            await station.clock.sleep(station.pace_s)
        if failed:
            await station.try_call(action, said(failed))
            return
        station.state.firmware = (location.rstrip("/").rpartition("/")[2] or location)[:50]
        for number in station.state.outlets:
            station.charging.stop(number, "Reboot", "ResetCommand")
        await station.restart("FirmwareUpdate")
        await station.ready.wait()
        security_event(station, "FirmwareUpdated", station.state.firmware)
        await station.try_call(action, said("Installed"))

    station.later(work)


def upload(station: "Station", action: str, said: Said) -> str:
    """Pretend to upload a log; returns the name of its file."""

    async def work() -> None:
        for step in ("Uploading", "Uploaded"):
            await station.try_call(action, said(step))
            await station.clock.sleep(station.pace_s)

    station.later(work)
    return f"{station.told.identity}-{station.state.next_id()}.log"


def call_later(station: "Station", action: str, payload: Callable[[], Json]) -> None:
    """Say this when the command was answered, as it is then."""

    async def say() -> None:
        await station.try_call(action, payload())

    station.later(say)


def trigger_meter_values(station: "Station", number: int) -> None:
    """Sample an outlet (0: all); one that charges says it of its charge."""
    for one in [number] if number else station.state.outlets:
        if station.state.outlets[one].charge is None:
            call_later(station, "MeterValues", lambda one=one: station.charging.metered(one))  # type: ignore[misc]
        else:

            async def sampled(one: int = one) -> None:
                station.charging.sample(one, "Trigger", "Trigger")

            station.later(sampled)


def trigger_statuses(station: "Station", number: int | None) -> None:
    """Tell the status of an outlet, or of all."""
    for one in [number] if number is not None else [0, *station.state.outlets]:
        payload = station.words.status(one)
        if payload is not None:
            call_later(station, "StatusNotification", lambda one=one: station.words.status(one) or {})  # type: ignore[misc]


def trigger_boot(station: "Station") -> None:
    """Boot again, where the CSMS had put it off; else say who it is."""
    if station.accepted:
        call_later(station, "BootNotification", lambda: station.words.boot("Triggered"))
        return

    async def boot() -> None:
        station.boot_now()

    station.later(boot)


def security_event(station: "Station", kind: str, info: str = "") -> None:
    """SecurityEventNotification, the same in all versions."""
    said: Json = {"type": kind, "timestamp": station.clock.text()}
    station.put("SecurityEventNotification", said | ({"techInfo": info[:255]} if info else {}))
