"""A simulated charging station: it connects, boots, says what happens and obeys what it is told.

What belongs to a charge goes through a queue in the state file, and leaves it when it was answered: in order, with the
id that it has from the start, however often connection, CSMS or the station itself end.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ocpp.exceptions import OCPPError
from websockets.exceptions import WebSocketException

from dev.stations.charging import Charging
from dev.stations.commands import commands_of
from dev.stations.connection import connected
from dev.stations.device.books import Books
from dev.stations.device.clock import Clock
from dev.stations.device.faults import Faults
from dev.stations.device.settings import Settings, component_variable
from dev.stations.device.state import Charge, Json, Message, Reservation, State, new_id
from dev.stations.device.told import Told
from dev.stations.device.wire import WIRES, Offline, Refused, Wire
from dev.stations.words2 import Words2
from dev.stations.words16 import Words16

TIMEOUT_S = 30.0
BACKOFF_MAX_S = 60.0
REMEMBERED = 500  # of what it said and heard last: stations of the demo charge for days
ACCEPTED = "Accepted"
Later = Callable[[], Awaitable[None]]


class Station:
    """One station. `run` lives until it is cancelled; everything else tells it what happens meanwhile."""

    def __init__(
        self,
        told: Told,
        url: str,
        *,
        state: Path | None = None,
        clock: Clock | None = None,
        timeout_s: float = TIMEOUT_S,
        backoff_s: float = 1.0,
        pace_s: float = 1.0,
        log: Callable[[str], None] = lambda _: None,
        ca: Path | None = None,
        others: Sequence[str] = (),
    ) -> None:
        self.told, self.url, self.timeout_s, self.ca = told, url, timeout_s, ca
        self.urls = (url, *others)  # of one CSMS: each connection goes to one of them
        self.backoff_s, self.pace_s = backoff_s, pace_s  # before it connects again, and of a step of pretended work
        self.state = State.found(state, outlets=told.outlets, credential=told.credential, firmware=told.firmware)
        if told.books and self.state.books is None:
            self.state.books = Books()
        self.settings = Settings(told, self.state.settings)
        self.clock, self.faults = clock or Clock(), Faults()
        self.words: Words16 | Words2 = Words16(self) if told.version == "1.6" else Words2(self)
        self.charging = Charging(self)
        self.wire: Wire | None = None
        self.ready = asyncio.Event()  # connected, and accepted
        self.accepted = False
        self.refusal: Exception | None = None  # why the last try to connect failed
        self.heard: deque[tuple[str, Json]] = deque(maxlen=REMEMBERED)  # commands that it got
        self.said: deque[tuple[str, str, Json]] = deque(maxlen=REMEMBERED)  # calls that left: id, action, payload
        self.costs: dict[str, float] = {}
        self._log = log
        self._online, self._stirred, self._boots = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._online.set()
        self._rests = False  # all is said
        self._told: dict[int, Json] = {}
        self._later: list[Later] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.commands = commands_of(told.version)
        self.charging.power_back()

    # --- life

    async def run(self) -> None:
        """Connect, and connect again, ever more slowly while nobody answers."""
        failed = 0
        while True:
            await self._online.wait()
            try:
                async with connected(self) as connection:
                    failed, self.refusal = 0, None
                    await self._attend(WIRES[self.told.version](self, self.told.identity, connection, self.timeout_s))
            except (OSError, TimeoutError, WebSocketException) as error:
                self.refusal = error
                self.note(f"no connection: {error!r}")
                failed += 1
            await self.clock.sleep(min(BACKOFF_MAX_S, self.backoff_s * 2.0**failed) * random.uniform(0.5, 1.0))  # noqa: S311

    async def _attend(self, wire: Wire) -> None:
        """Hear and speak until one of both ends."""
        self.wire, self._told, self._rests = wire, {}, False
        tasks = [asyncio.create_task(one) for one in (wire.start(), self._speak(wire), self._beat())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.ready.clear()
            self.wire = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _speak(self, wire: Wire) -> None:
        """Boot, then say what has changed and what waits, whenever there is something."""
        if not self.accepted or self.faults.boots_each_time:
            await self._boot(wire)
        self.ready.set()
        while True:
            self._stirred.clear()
            while await self._say_statuses() or await self._say_next(wire):
                pass
            self._rests = not self._stirred.is_set()
            await self._stirred.wait()
            self._rests = False

    async def _beat(self) -> None:
        await self.ready.wait()
        while True:
            await self.clock.sleep(max(1, self.settings.number("heartbeat_s")))
            await self.try_call("Heartbeat", {})

    async def _boot(self, wire: Wire) -> None:
        """Say who it is until it is accepted, as often as it is told to."""
        while True:
            self._boots.clear()
            interval = self.settings.number("attempt_s")
            try:
                answer = await self._say(wire, "BootNotification", self.words.boot(self.state.boot_reason), new_id())
                self.clock.adopt(answer["currentTime"])
                interval = answer["interval"]
                if answer["status"] == ACCEPTED:
                    break
            except (Refused, TimeoutError, OCPPError) as error:
                self.note(f"BootNotification: {error!r}")
            try:
                async with asyncio.timeout(max(0.05, interval / (self.clock.speed or 1.0))):
                    await self._boots.wait()
            except TimeoutError:
                continue
        self.accepted, self.state.boot_reason = True, "PowerUp"
        if interval > 0:
            self.state.settings[self.settings.name("heartbeat_s")] = str(interval)
        self.state.keep()

    async def restart(self, reason: str) -> None:
        """What a reset does, after it was answered: forget all but the state file, and boot for this reason."""
        await self.settled()
        self.accepted, self.state.boot_reason = False, reason
        self.state.keep()
        await self.disconnect()

    async def disconnect(self) -> None:
        """Close the connection; it will be made again."""
        self.ready.clear()
        if self.wire is not None:
            await self.wire.connection.close()

    async def offline(self) -> None:
        """No network from now on."""
        self._online.clear()
        await self.disconnect()

    async def online(self) -> None:
        """The network is back; returns when the CSMS has the station again."""
        self._online.set()
        await self.ready.wait()

    async def settled(self) -> None:
        """Wait until all that can be said is said and answered, but no longer than an answer may take."""
        try:
            async with asyncio.timeout(self.timeout_s):
                while self.ready.is_set() and not (self._rests and not self._stirred.is_set()):
                    await asyncio.sleep(0.005)
        except TimeoutError:
            self.note(f"{len(self.state.queue)} messages still wait")

    # --- saying

    async def call(self, action: str, payload: Json, unique_id: str | None = None) -> Json:
        """Say something that belongs to no charge, now; raises Offline, Refused or TimeoutError."""
        if self.wire is None:
            raise Offline("there is no connection")
        return await self._say(self.wire, action, payload, unique_id or new_id())

    async def try_call(self, action: str, payload: Json) -> None:
        """Say it; if it does not arrive it is not worth to be said again."""
        try:
            answer = await self.call(action, payload)
        except (Offline, Refused, TimeoutError, OCPPError) as error:
            self.note(f"{action}: {error!r}")
            return
        if action == "Heartbeat":
            self.clock.adopt(answer["currentTime"])

    def put(self, action: str, payload: Json, charge: str = "") -> None:
        """Queue what must not be lost; it is kept before it leaves."""
        self.state.queue.append(Message(new_id(), action, payload, charge))
        self.state.keep()
        self._stirred.set()

    def changed(self) -> None:
        """Something at an outlet is another: kept, and its status is told."""
        self.state.keep()
        self._stirred.set()

    async def _say(self, wire: Wire, action: str, payload: Json, unique_id: str) -> Json:
        self.said.append((unique_id, action, payload))
        answer = await wire.say(action, payload, unique_id)
        self.note(f"{action}: {answer}")
        return answer

    async def _say_statuses(self) -> bool:
        """Tell the statuses that the CSMS does not know; tells whether there was one."""
        for number in (0, *self.state.outlets):
            status = self.words.status(number)
            told = {name: value for name, value in (status or {}).items() if name != "timestamp"}
            if status is not None and self._told.get(number) != told:
                self._told[number] = told
                await self.try_call("StatusNotification", status)
                return True
        return False

    async def _say_next(self, wire: Wire) -> bool:
        """Say the first of the queue; tells whether there is more to do."""
        if not self.state.queue or self.faults.held:
            return False
        message = self.state.queue[0]
        if message.action in self.faults.swallowed:
            self.state.queue.remove(message)
            self.state.keep()
            return True
        try:
            answer = await self._say(wire, message.action, self.words.filled(message), message.id)
        except TimeoutError:
            self.note(f"{message.action}: no answer")
            await self.clock.sleep(self.settings.number("attempt_s"))
            return True
        except (Refused, OCPPError) as error:
            await self._refused(message, error)
            return True
        self.state.queue.remove(message)
        self.words.answered(message, answer)
        self.state.keep()
        return True

    async def _refused(self, message: Message, error: Exception) -> None:
        message.refused += 1
        self.note(f"{message.action}: {error!r}, the {message.refused}. time")
        if message.refused >= self.settings.number("attempts"):
            self.state.queue.remove(message)
            if self.state.books is not None:
                self.state.books.dropped.append(f"{message.action} of {message.charge}: {error!r}")
            self.state.keep()
        else:
            await self.clock.sleep(self.settings.number("attempt_s") * message.refused)

    # --- obeying

    def obey(self, action: str, payload: Json) -> Json | Awaitable[Json] | None:
        """The answer to a command; None where there is no such command."""
        self.heard.append((action, payload))
        command = self.commands.get(action)
        if command is None:
            return None
        answer = command(self, payload)
        self.state.keep()
        self.note(f"obeys {action}: {answer}")
        return answer

    def later(self, what: Later) -> None:
        """Do this when the command that is being obeyed was answered."""
        self._later.append(what)

    def obeyed(self) -> None:
        """The answer was sent: what follows from it begins."""
        if self._later:
            task = asyncio.create_task(_in_turn(self._later))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._later = []

    async def quiet(self) -> None:
        """Wait until what follows from commands is done."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await self.settled()

    def boot_now(self) -> None:
        """Say BootNotification without waiting for the interval."""
        self._boots.set()

    # --- what others ask

    def charge_of(self, key: str) -> Charge | None:
        """The charge that runs by this name."""
        charges = (outlet.charge for outlet in self.state.outlets.values())
        return next((charge for charge in charges if charge is not None and charge.key == key), None)

    def judged(self, charge: Charge, status: str) -> None:
        """The CSMS says of a charge's card what it thinks; one that may not charge stops."""
        if status != ACCEPTED and self.settings.on("stop_invalid"):
            self.charging.stop(charge.outlet, "DeAuthorized", "Deauthorized")

    def reserved(self, number: int) -> Reservation | None:
        """Who an outlet is kept for; a reservation of any outlet keeps the last that is free."""
        now, outlets = self.clock.now(), self.state.outlets
        holding = [one for one in self.state.reservations if one.until > now]
        others = [one for other, one in outlets.items() if other != number and not one.plugged and one.charge is None]
        return next((one for one in holding if one.outlet == number or (one.outlet == 0 and not others)), None)

    async def expire(self) -> None:
        """End the reservations whose time is over; OCPP 2.x tells it, 1.6 by the status."""
        over = [one for one in self.state.reservations if one.until <= self.clock.now()]
        for one in over:
            self.state.reservations.remove(one)
            if self.told.version != "1.6":
                ended = {"reservationId": one.number, "reservationUpdateStatus": "Expired"}
                await self.try_call("ReservationStatusUpdate", ended)
        if over:
            self.changed()

    async def fault(self, number: int, code: str) -> None:
        """Something at an outlet breaks (1.6: a ChargePointErrorCode), or is mended again with ""."""
        outlet = self.state.outlets[number]
        outlet.fault = code
        if code:
            self.charging.stop(number, "Other", "AbnormalCondition")
        self.changed()
        if self.told.version == "1.6":
            return
        event = {"eventId": self.state.next_id(), "timestamp": self.clock.text(), "trigger": "Alerting"}
        event |= {"actualValue": "true" if code else "false", "eventNotificationType": "HardWiredNotification"}
        event |= {"techCode": code or "mended", **component_variable(f"Connector.Problem@{number}")}
        await self.try_call("NotifyEvent", {"generatedAt": self.clock.text(), "seqNo": 0, "eventData": [event]})

    def note(self, line: str) -> None:
        """For the log."""
        self._log(f"{self.told.identity} {line}")


async def _in_turn(what: Sequence[Later]) -> None:
    for one in what:
        await one()
