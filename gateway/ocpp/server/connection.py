"""One station's connection: reads frame by frame, answers each CALL before it reads the next, and asks the station.

OCPP-J lets a station have one CALL unanswered. Reading on only then is what slows down a station that says too much,
and keeps what is in memory of each to one message.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from gateway.ocpp import frames
from gateway.ocpp.frames import Frame, FrameError
from gateway.ocpp.handling import V21, Call, CallRefused
from gateway.ocpp.leniency import understood
from gateway.ocpp.schemas import knows
from gateway.ocpp.server.admission import Admitted, Refused
from gateway.ocpp.server.answering import IN, OUT, Job, refusal_text
from gateway.ocpp.server.log import Logged
from gateway.ocpp.server.versions import handler_of
from stations.charging.asides import Aside
from stations.models import OcppMessage, Station

if TYPE_CHECKING:
    from gateway.ocpp.server.process import Gateway

Kind = OcppMessage.Kind
STRIKES_MAX = 10  # unreadable frames one after the other
SEEN_EVERY_S = 60.0
BURST_S = 10  # of the messages a second that are allowed
POLICY, AGAIN_LATER = 1008, 1013  # close codes (RFC 6455, 7.4.1, and IANA)


class StationSocket(ServerConnection):
    """A WebSocket, with what was decided about it at the handshake."""

    outcome: Admitted | Refused | None = None


class Misbehaved(Exception):
    """It broke the protocol once too often."""


class Link:
    """What the gateway keeps of a connected station: little, as there are thousands."""

    __slots__ = (
        *("asking", "budget", "commands", "gateway", "id", "read_at", "seen_at"),
        *("socket", "station", "strikes", "version", "waiting"),
    )

    def __init__(self, gateway: "Gateway", socket: StationSocket, station: Station, version: str, id: str) -> None:
        self.gateway, self.socket, self.station, self.version, self.id = gateway, socket, station, version, id
        # As connections_open stores it; the row was read before. By it clocks are judged (stations/charging/clocks.py).
        station.connected_at = timezone.now()
        self.strikes = 0
        self.seen_at = 0.0
        self.read_at, self.budget = time.monotonic(), float(gateway.messages_per_s * BURST_S)
        self.waiting: dict[str, asyncio.Future[Frame]] = {}  # CALLs of ours without an answer, by id
        self.asking: asyncio.Lock | None = None  # made when first needed
        self.commands: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until it is closed; raises Misbehaved, and what the database raises where it is away."""
        async for text in self.socket:
            await self._slow_down()
            answer = await self._heard(text)
            if answer:
                await self.socket.send(answer)

    async def _slow_down(self) -> None:
        """A station that says more than it may is read more slowly."""
        now, rate = time.monotonic(), self.gateway.messages_per_s
        self.budget = min(rate * BURST_S, self.budget + (now - self.read_at) * rate) - 1
        self.read_at = now
        if self.budget < 0:
            await asyncio.sleep(-self.budget / rate)

    async def _heard(self, text: str | bytes) -> str:
        """What is said to it; "" for nothing."""
        try:
            if isinstance(text, bytes):
                raise FrameError("RpcFrameworkError", "expected a text frame, got a binary one")
            frame = frames.frame_read(text, is_21=self.version == V21)
        except FrameError as error:
            return await self._unreadable(text if isinstance(text, str) else repr(text), error)
        self.strikes = 0
        if frame.type in (frames.CALL, frames.SEND):
            return await self._called(frame, str(text))
        await self._answered(frame, str(text))
        return ""

    async def _unreadable(self, text: str, error: FrameError) -> str:
        self.strikes += 1
        await self._log(text, IN, Kind.OTHER, message_id=error.id)
        if self.strikes >= STRIKES_MAX:
            raise Misbehaved(f"{STRIKES_MAX} frames that are no OCPP one after the other, at last: {error}")
        answer = frames.error_text(error.id, error.code, str(error), version=self.version)
        await self._log(answer, OUT, Kind.ERROR, message_id=error.id)
        return answer

    # --- What the station says

    async def _called(self, frame: Frame, text: str) -> str:
        call = Call(self.station, self.version, frame.action, frame.payload, frame.id, timezone.now())
        try:
            payload, asides = self._read(call)
        except CallRefused as error:
            answer = refusal_text(call, error) if frame.type == frames.CALL else ""
            heard = Kind.CALL if frame.type == frames.CALL else Kind.SEND
            await self._log(text, IN, heard, action=frame.action, message_id=frame.id)
            if answer:
                await self._log(answer, OUT, Kind.ERROR, action=frame.action, message_id=frame.id)
            return answer
        call = Call(self.station, self.version, frame.action, payload, frame.id, call.at, tuple(asides))
        job = Job(call, text, is_send=frame.type == frames.SEND, seen=self._seen())
        lane = self.gateway.together if job.many else self.gateway.alone
        return await lane.do(job)

    def _read(self, call: Call) -> tuple[dict[str, Any], Sequence[Aside]]:
        """The payload as it may be handled; raises CallRefused."""
        if not knows(self.version, call.action):
            raise CallRefused("NotImplemented", f"there is no {call.action} in OCPP {self.version}")
        if handler_of(call) is None:
            raise CallRefused("NotSupported", f"{call.action} is not supported here")
        payload, asides, broken = understood(self.version, call.action, call.payload)
        if broken is not None:
            raise CallRefused(broken.code, broken.words)
        return payload, asides

    def _seen(self) -> bool:
        now = time.monotonic()
        if now - self.seen_at < SEEN_EVERY_S and self.seen_at:
            return False
        self.seen_at = now
        return True

    async def _log(self, text: str, direction: str, kind: str, action: str = "", message_id: str = "") -> None:
        frame = Logged(self.station.pk, timezone.now(), direction, str(kind), text, action, message_id)
        await self.gateway.logging.do(frame)

    # --- What is asked of it

    def deliver(self) -> None:
        """Send the commands that wait for it, unless that goes on already."""
        if self.commands is None or self.commands.done():
            self.commands = asyncio.create_task(self.gateway.commands_send(self))

    async def call(self, id: str, text: str, timeout_s: float) -> Frame:
        """Send a CALL and wait for its answer, CALLRESULT or CALLERROR; raises TimeoutError, ConnectionClosed."""
        self.asking = self.asking or asyncio.Lock()  # one CALL at a time (OCPP-J 4.1.1)
        async with self.asking:
            future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
            self.waiting[id] = future
            try:
                await self.socket.send(text)
                return await asyncio.wait_for(future, timeout_s)
            finally:
                del self.waiting[id]

    async def _answered(self, frame: Frame, text: str) -> None:
        kind = Kind.RESULT if frame.type == frames.RESULT else Kind.ERROR
        future = self.waiting.get(frame.id)
        if future is not None and not future.done():
            future.set_result(frame)
            await self._log(text, IN, kind, action=self.gateway.asked.get(frame.id, ""), message_id=frame.id)
            return
        await self._log(text, IN, kind, message_id=frame.id)
        await self.gateway.answered_late(self, frame)

    def ended(self) -> None:
        """The connection is gone: nobody waits for its answers any more."""
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(ConnectionClosed(None, None))
