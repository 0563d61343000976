"""A station in the hands of a test:

    async with charger("ws://127.0.0.1:8300/ocpp", "CP-1", credential, "2.0.1") as cp:
        await cp.start("35897499")
        await cp.meter(after_s=60)
        await cp.stop()

Its clock stands still, four minutes ago at first, and passes only as `meter` and `cp.clock.advance` say. What goes
wrong is set in `cp.faults` (device/faults.py) and by `cp.clock.wrong`, or done by `offline`, `kill`, `repeat` &c.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed

from dev.stations.device import meter
from dev.stations.device.clock import Clock
from dev.stations.device.faults import Faults
from dev.stations.device.settings import NAMES
from dev.stations.device.state import Json, State
from dev.stations.device.told import Token, Told
from dev.stations.device.wire import Wire
from dev.stations.station import Station

BEFORE = timedelta(minutes=4)  # so late that nothing is in the future soon, and not so late that it was offline
CONNECT_S = 20.0


class Charger:
    """What a person, a car, a thunderstorm can do to a station; each returns when the CSMS has answered, if it can."""

    def __init__(self, told: Told, url: str, state: Path, **options: Any) -> None:
        self._made = (told, url, state, options)
        self.station = self._new()
        self.task = asyncio.create_task(self.station.run())

    def _new(self) -> Station:
        told, url, state, options = self._made
        return Station(told, url, state=state, **options)

    @property
    def faults(self) -> Faults:
        """What goes wrong from now on."""
        return self.station.faults

    @property
    def clock(self) -> Clock:
        """Its clock."""
        return self.station.clock

    @property
    def state(self) -> State:
        """What it keeps."""
        return self.station.state

    async def accepted(self) -> None:
        """Wait until the CSMS has it; raises what `websockets` raised where it is refused."""
        async with asyncio.timeout(CONNECT_S):
            while not self.station.ready.is_set():
                if self.station.refusal is not None:
                    raise self.station.refusal
                await asyncio.sleep(0.005)
        await self.station.settled()

    # --- charges

    async def plug(self, outlet: int = 1) -> None:
        """A cable is plugged in."""
        self.station.charging.plug(outlet)
        await self.station.settled()

    async def present(self, token: str | Token, outlet: int = 1) -> bool:
        """A card is shown; tells whether it was taken."""
        taken = await self.station.charging.present(outlet, _token(token))
        await self.station.settled()
        return taken

    async def start(self, token: str | Token, outlet: int = 1, *, cable_first: bool = True) -> str:
        """Cable and card, or card and cable; returns the transaction's id, "" where the card was not taken."""
        if cable_first:
            await self.plug(outlet)
        if not await self.present(token, outlet):
            return ""
        if not cable_first:
            await self.plug(outlet)
        return self.transaction(outlet)

    def transaction(self, outlet: int = 1) -> str:
        """The id of what runs there: the CSMS's number in 1.6 once it is known, "" where nothing runs."""
        charge = self.state.outlets[outlet].charge
        if charge is None:
            return ""
        return charge.key if charge.number is None else str(charge.number)

    async def meter(self, outlet: int = 1, *, after_s: float = 10.0, wh: float | None = None) -> int:
        """Let time pass and energy flow (by default what a car takes), and say it; returns the meter."""
        charging, state = self.station.charging, self.state
        self.clock.advance(after_s)
        charge = state.outlets[outlet].charge
        if wh is not None:
            meter.add(self.station.told, state.outlets[outlet], wh)
            if charge is not None:
                charge.metered = self.clock.now()
        charging.sample(outlet)
        await self.station.settled()
        return meter.register_wh(state.outlets[outlet], self.faults)

    async def stop(self, outlet: int = 1, reason: str = "Local", trigger: str = "StopAuthorized") -> None:
        """End what runs, and take the cable out."""
        self.station.charging.stop(outlet, reason, trigger)
        await self.station.settled()
        await self.unplug(outlet)

    async def unplug(self, outlet: int = 1) -> None:
        """Take the cable out, with a charge that still runs."""
        self.station.charging.unplug(outlet)
        await self.station.settled()

    async def quiet(self) -> None:
        """Wait until what commands began is done."""
        await self.station.quiet()

    async def expire(self) -> None:
        """What was reserved, and is over by now, is free again."""
        await self.station.expire()
        await self.station.settled()

    # --- what goes wrong

    async def fault(self, outlet: int, code: str = "GroundFailure") -> None:
        """Something breaks (1.6: a ChargePointErrorCode); with "" it is mended."""
        await self.station.fault(outlet, code)
        await self.station.settled()

    async def offline(self) -> None:
        """No network; what happens now is queued."""
        await self.station.offline()

    async def online(self) -> None:
        """The network is back; returns when the queue is empty."""
        await self.station.online()
        await self.station.settled()

    async def kill(self) -> None:
        """End it as SIGKILL would: no goodbye, and only its state file is left."""
        if self.station.wire is not None:
            self.station.wire.connection.transport.abort()
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def reboot(self) -> None:
        """It loses its power, and comes back: a charge that ran has ended with its last reading, or `resumes`."""
        await self.kill()
        self.station = self._new()
        self.task = asyncio.create_task(self.station.run())
        await self.accepted()

    async def repeat(self, action: str, *, same_id: bool = True) -> Json:
        """Say the last call of this action again, with its id or a new one; returns the answer."""
        unique_id, _, payload = next(one for one in reversed(self.station.said) if one[1] == action)
        return await self.station.call(action, payload, unique_id if same_id else None)

    async def release(self, *, backwards: bool = False) -> None:
        """Say what `faults.held` kept back, the newest first if told so."""
        if backwards:
            self.state.queue.reverse()
        self.faults.held = False
        self.station.changed()
        await self.station.settled()

    def half_open(self) -> None:
        """The network swallows everything from now on, and says so to neither side."""
        connection = self._wire().connection
        self.faults.silent = True
        connection.transport.pause_reading()
        if connection.keepalive_task is not None:
            connection.keepalive_task.cancel()

    async def raw(self, frame: str | bytes) -> list[Any]:
        """Send a frame as it is; returns what it was answered, or ["closed", code]."""
        wire = self._wire()
        answer = asyncio.create_task(wire.strays.get())
        try:
            await wire.connection.send(frame)
            closed = asyncio.create_task(wire.connection.wait_closed())
            async with asyncio.timeout(self.station.timeout_s):
                await asyncio.wait([answer, closed], return_when=asyncio.FIRST_COMPLETED)
            closed.cancel()
        except ConnectionClosed:
            pass
        if answer.done():
            return answer.result()
        answer.cancel()
        return ["closed", wire.connection.close_code]

    def _wire(self) -> Wire:
        if self.station.wire is None:
            raise ConnectionError("there is no connection")
        return self.station.wire


def _token(token: str | Token) -> Token:
    return Token(token) if isinstance(token, str) else token


@asynccontextmanager
async def charger(
    url: str,
    identity: str,
    credential: str,
    version: str = "1.6",
    *,
    state: Path | None = None,
    clock: Clock | None = None,
    timeout_s: float = 5.0,
    ca: Path | None = None,
    **told: Any,
) -> AsyncIterator[Charger]:
    """A station that is connected and accepted; `told` are members of Told, such as outlets=2, current="DC"."""
    at_once = {NAMES["attempt_s"][0 if version == "1.6" else 1]: "0"}
    made = Told(identity, credential, version, **{**told, "settings": {**at_once, **told.get("settings", {})}})
    clock = clock or Clock(datetime.now(UTC) - BEFORE, speed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = state or Path(folder) / "state.json"
        options = {"clock": clock, "timeout_s": timeout_s, "backoff_s": 0.02, "pace_s": 0.01, "ca": ca}
        one = Charger(made, url, path, **options)
        try:
            await one.accepted()
            yield one
        finally:
            if one.station.wire is not None and not one.faults.silent:
                await one.station.wire.connection.close()
            await one.kill()
