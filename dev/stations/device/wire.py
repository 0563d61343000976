"""One connection of a station: the library's charge point, which sends its calls and hears the CSMS's.

Payloads stay as OCPP writes them: the library's way over snake_case loses names (`limitL2`), and rewrites what stands
in `customData`. What it validates is a copy, as it turns numbers into Decimals, which leave with one decimal place.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, Protocol

from ocpp import v16, v21, v201
from ocpp.charge_point import ChargePoint
from ocpp.exceptions import InternalError, NotImplementedError, OCPPError
from ocpp.messages import Call, CallResult, MessageType, unpack, validate_payload
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from dev.stations.device.faults import Faults
from dev.stations.device.state import Json

SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}


class Offline(ConnectionError):
    """There is no connection, or it ended before the answer came."""


class Refused(RuntimeError):
    """The CSMS answered with a CALLERROR."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code


class Hearer(Protocol):
    """Who obeys the calls of the CSMS."""

    faults: Faults

    def obey(self, action: str, payload: Json) -> "Json | Awaitable[Json] | None":
        """The answer to a command; None where there is no such command."""

    def obeyed(self) -> None:
        """The answer was sent: what follows from the command can be done."""

    def note(self, line: str) -> None:
        """For the log."""


class Wire(ChargePoint):  # type: ignore[misc] # the library has no types
    """Calls and answers of one connection."""

    _ocpp_version: str

    def __init__(self, hearer: Hearer, identity: str, connection: ClientConnection, timeout_s: float) -> None:
        super().__init__(identity, connection, response_timeout=timeout_s)
        self.hearer, self.connection = hearer, connection
        self.strays: asyncio.Queue[list[Any]] = asyncio.Queue()  # answers to nothing that was asked
        self._waiting: dict[str, tuple[str, asyncio.Future[Any]]] = {}

    async def start(self) -> None:
        """Hear until the connection ends; whoever waits for an answer then waits no more."""
        try:
            await super().start()
        finally:
            self.ended()

    async def _send(self, message: str) -> None:
        if not self.hearer.faults.silent:
            await super()._send(message)

    def ended(self) -> None:
        """Nobody will answer any more."""
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(Offline("the connection ended"))

    async def say(self, action: str, payload: Json, unique_id: str) -> Json:
        """Send a call and return what it is answered; raises Offline, Refused or TimeoutError."""
        if not self.hearer.faults.unchecked:
            await validate_payload(Call(unique_id, action, copy.deepcopy(payload)), self._ocpp_version)
        async with self._call_lock:
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._waiting[unique_id] = (action, future)
            try:
                await self._send(Call(unique_id, action, payload).to_json())
                async with asyncio.timeout(self._response_timeout):
                    answer = await future
            except ConnectionClosed as error:
                raise Offline("the connection ended") from error
            finally:
                del self._waiting[unique_id]
        if answer.message_type_id == MessageType.CallError:
            raise Refused(answer.error_code, answer.error_description)
        answer.action = action
        await validate_payload(copy.deepcopy(answer), self._ocpp_version)
        return dict(answer.payload)

    async def route_message(self, raw_msg: str | bytes) -> None:
        """A call is obeyed, an answer goes to who waits for it, anything else to `strays`."""
        try:
            message = unpack(raw_msg)
        except OCPPError as error:
            self.hearer.note(f"not OCPP: {raw_msg[:200]!r} ({error})")
            return
        if message.message_type_id == MessageType.Call:
            await self._obey(message)
            return
        action, future = self._waiting.get(message.unique_id, ("", None))
        lost = self.hearer.faults.lost_answers
        if future is None or future.done():
            self.strays.put_nowait([message.message_type_id, message.unique_id, *_rest(message)])
        elif lost[action]:
            lost[action] -= 1
        else:
            future.set_result(message)

    async def _obey(self, message: Call) -> None:
        if self.hearer.faults.deaf:
            return
        try:
            answer = await self._answer(message)
            await validate_payload(copy.deepcopy(answer), self._ocpp_version)
        except OCPPError as error:
            answer = message.create_call_error(error)
        except (KeyError, ValueError, TypeError) as error:  # a command that says less than its schema lets it
            self.hearer.note(f"{message.action}: {error!r}")
            answer = message.create_call_error(InternalError(str(error)))
        await self._send(answer.to_json())
        self.hearer.obeyed()

    async def _answer(self, message: Call) -> CallResult:
        """What our own commands answer; a call without any is answered too, which the library leaves out in 2.1."""
        await validate_payload(copy.deepcopy(message), self._ocpp_version)
        answer = self.hearer.obey(message.action, message.payload)
        if answer is None:
            raise NotImplementedError(f"{message.action} is not built")
        return message.create_call_result(await answer if isawaitable(answer) else answer)


class _V16(Wire, v16.ChargePoint):  # type: ignore[misc]
    pass


class _V201(Wire, v201.ChargePoint):  # type: ignore[misc]
    pass


class _V21(Wire, v21.ChargePoint):  # type: ignore[misc]
    pass


WIRES: Mapping[str, Callable[..., Wire]] = {"1.6": _V16, "2.0.1": _V201, "2.1": _V21}


def _rest(message: Any) -> list[Any]:
    if message.message_type_id == MessageType.CallResult:
        return [message.payload]
    return [message.error_code, message.error_description, message.error_details]
