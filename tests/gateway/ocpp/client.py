"""A charging station of the tests: frames as they are on the wire, over a real WebSocket."""

import base64
import json
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

TIMEOUT_S = 20.0
SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
Answer = Callable[[str, dict[str, Any]], dict[str, Any]]


class CallError(Exception):
    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code, self.description = code, description


def basic(identity: str, password: bytes) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(identity.encode() + b":" + password).decode()}


class Charger:
    """One connection. CALLs of the central system that come meanwhile are answered by `answer(action, payload)`."""

    def __init__(
        self,
        url: str,
        identity: str,
        credential: str,
        version: str = "1.6",
        *,
        answer: Answer | None = None,
        **more: Any,
    ) -> None:
        self.identity, self.answer = identity, answer
        self.asked: list[tuple[str, dict[str, Any]]] = []
        more.setdefault("additional_headers", basic(identity, credential.encode()))
        more.setdefault("subprotocols", [Subprotocol(SUBPROTOCOLS[version])])
        self._open = ExitStack()
        self.socket: ClientConnection = self._open.enter_context(connect(f"{url}/{identity}", compression=None, **more))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Closed in good order; more than once does no harm."""
        self._open.close()

    def call(self, action: str, payload: dict[str, Any] | None = None, *, id: str | None = None) -> dict[str, Any]:
        """The payload of the answer; raises CallError."""
        id = id or str(uuid.uuid4())
        self.send(json.dumps([2, id, action, payload or {}]))
        return self._answer_to(id)

    def send(self, text: str | bytes) -> None:
        self.socket.send(text)

    def receive(self) -> Any:
        """The next frame as JSON."""
        return json.loads(self.socket.recv(TIMEOUT_S))

    def _answer_to(self, id: str) -> dict[str, Any]:
        while True:
            frame = self.receive()
            if frame[0] == 2:
                self._be_asked(frame)
            elif frame[1] == id:
                if frame[0] == 4:
                    raise CallError(frame[2], frame[3])
                payload: dict[str, Any] = frame[2]
                return payload

    def serve(self, count: int = 1) -> list[tuple[str, dict[str, Any]]]:
        """Wait for so many CALLs of the central system, and answer them; returns them."""
        before = len(self.asked)
        while len(self.asked) < before + count:
            frame = self.receive()
            if frame[0] == 2:
                self._be_asked(frame)
        return self.asked[before:]

    def _be_asked(self, frame: list[Any]) -> None:
        _, id, action, payload = frame
        self.asked.append((action, payload))
        said = self.answer(action, payload) if self.answer else {"status": "Accepted"}
        self.send(json.dumps([3, id, said]))

    def closed(self) -> tuple[int, str]:
        """Wait until the other side has closed it: code and reason."""
        while True:
            try:
                self.socket.recv(TIMEOUT_S)
            except ConnectionClosed as error:
                assert error.rcvd is not None, "the connection was lost without a close frame"
                return error.rcvd.code, error.rcvd.reason
