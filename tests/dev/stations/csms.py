"""A central system that answers everything and keeps nothing, but checks each message against the official schemas."""

import asyncio
import base64
import copy
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from ocpp.messages import Call, CallResult, validate_payload
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

Json = dict[str, Any]
Answer = Json | Callable[[Json], Json]
VERSIONS = {"ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1", "ocpp2.1": "2.1"}
TIMEOUT_S = 5.0
CREDENTIAL = "a credential of its own"


class Csms:
    """What it heard, what it answers, and what it tells its one station."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, Json]] = []  # id, action, payload
        self.answers: dict[str, Answer] = {}
        self.credential = CREDENTIAL
        self.mute = 0  # so many calls it does not answer, though it heard them
        self.connections = 0
        self.url = ""
        self.station: ServerConnection | None = None
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}

    def of(self, action: str) -> list[Json]:
        """The payloads of an action that it heard, without repeats of one id."""
        return list({unique_id: payload for unique_id, found, payload in self.heard if found == action}.values())

    def events(self) -> list[tuple[str, str]]:
        """Type and trigger of each TransactionEvent."""
        return [(event["eventType"], event["triggerReason"]) for event in self.of("TransactionEvent")]

    async def tell(self, action: str, payload: Json) -> Json:
        """Send a command; returns what the station answers, or {"error": code}."""
        assert self.station is not None
        version = VERSIONS[str(self.station.subprotocol)]
        unique_id = f"c{next(self._ids)}"
        await validate_payload(Call(unique_id, action, copy.deepcopy(payload)), version)
        self._waiting[unique_id] = asyncio.get_running_loop().create_future()
        await self.station.send(json.dumps([2, unique_id, action, payload]))
        async with asyncio.timeout(TIMEOUT_S):
            frame = await self._waiting[unique_id]
        if frame[0] == 4:
            return {"error": frame[2]}
        await validate_payload(CallResult(unique_id, copy.deepcopy(frame[2]), action), version)
        return dict(frame[2])

    async def serve(self, connection: ServerConnection) -> None:
        """One connection of the station, until it ends."""
        self.station = connection
        self.connections += 1
        version = VERSIONS[str(connection.subprotocol)]
        async for text in connection:
            try:
                frame = json.loads(text)
            except ValueError:
                await connection.send(json.dumps([4, "-1", "RpcFrameworkError", "no JSON", {}]))
                continue
            if frame[0] != 2:
                self._waiting.pop(frame[1]).set_result(frame)
                continue
            _, unique_id, action, payload = frame
            await validate_payload(Call(unique_id, action, copy.deepcopy(payload)), version)
            self.heard.append((unique_id, action, payload))
            if self.mute:
                self.mute -= 1
                continue
            await connection.send(json.dumps([3, unique_id, self._answer(version, action, payload)]))

    def _answer(self, version: str, action: str, payload: Json) -> Json:
        if action in self.answers:
            told = self.answers[action]
            return told(payload) if callable(told) else told
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        known: dict[str, Json] = {
            "BootNotification": {"status": "Accepted", "currentTime": now, "interval": 600},
            "Heartbeat": {"currentTime": now},
            "SignCertificate": {"status": "Accepted"},
        }
        accepted = {"idTagInfo" if version == "1.6" else "idTokenInfo": {"status": "Accepted"}}
        if action == "Authorize":
            return accepted
        if action == "StartTransaction":
            return accepted | {"transactionId": next(self._numbers)}
        return known.get(action, {})


@asynccontextmanager
async def csms() -> AsyncIterator[Csms]:
    """A central system at a free port."""
    one = Csms()

    def credential(connection: ServerConnection, request: Request) -> Response | None:
        identity, _, password = base64.b64decode(request.headers["Authorization"].split()[1]).decode().partition(":")
        good = request.path.endswith(f"/{identity}") and password == one.credential
        return None if good else connection.respond(HTTPStatus.UNAUTHORIZED, "who are you?\n")

    subprotocols: Any = list(VERSIONS)
    async with serve(one.serve, "127.0.0.1", 0, subprotocols=subprotocols, process_request=credential) as server:
        one.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
        yield one


def played(story: Callable[[Csms], Coroutine[Any, Any, None]]) -> None:
    """Play a story with a central system of its own."""

    async def play() -> None:
        async with asyncio.timeout(60), csms() as one:
            await story(one)

    asyncio.run(play())
