"""A WebSocket of a station that costs next to nothing, so that what is measured is the other side.

Text frames alone, in one piece, and pings answered: what a gateway says to a station that charges. It masks with zeros:
the other side has the same work with them as with any mask.
"""

import asyncio
import base64
import secrets
import struct
from collections import deque
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
FINAL, MASKED = 0x80, 0x80
NO_MASK = bytes(4)
SHORT_MAX, MIDDLE = 125, 126
MIDDLE_MAX = 65_535


class Wire(asyncio.Protocol):
    """One connection, of one reader."""

    def __init__(self, request: bytes) -> None:
        self._request, self._buffer, self._is_open = request, b"", False
        self._heard: deque[bytes] = deque()
        self._waiting: asyncio.Future[bytes] | None = None
        self._ended: Exception | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- What a station does with it

    def send(self, text: bytes) -> None:
        self._send(TEXT, text)

    async def recv(self) -> bytes:
        """The next text; raises ConnectionError where none will come."""
        if self._heard:
            return self._heard.popleft()
        if self._ended:
            raise self._ended
        self._waiting = asyncio.get_running_loop().create_future()
        return await self._waiting

    def close(self) -> None:
        self._send(CLOSE, struct.pack("!H", 1000))
        self._transport.close()

    # --- What the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._is_open:
            head, end, buffer = buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            self._is_open = True
            if head.split(b" ", 2)[1] != b"101":
                return self._end(ConnectionError(head.decode(errors="replace")))
            self.opened.set_result(None)
        self._buffer = self._frames(buffer)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(ConnectionError(f"the connection is lost: {error}"))

    # --- Frames (RFC 6455, section 5.2)

    def _send(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        assert length <= MIDDLE_MAX
        if length <= SHORT_MAX:
            head = bytes((FINAL | opcode, MASKED | length))
        else:
            head = struct.pack("!BBH", FINAL | opcode, MASKED | MIDDLE, length)
        self._transport.write(head + NO_MASK + payload)

    def _frames(self, buffer: bytes) -> bytes:
        """Takes those that are whole, and returns the rest."""
        while len(buffer) >= 2:
            begin, length = 2, buffer[1]
            if length == MIDDLE and len(buffer) >= 4:
                begin, length = 4, int.from_bytes(buffer[2:4], "big")
            elif length >= MIDDLE:
                assert length == MIDDLE, "expected frames of at most 64 KiB, not masked"
                break
            if len(buffer) < begin + length:
                break
            self._frame(buffer[0], buffer[begin : begin + length])
            buffer = buffer[begin + length :]
        return buffer

    def _frame(self, first: int, payload: bytes) -> None:
        if first == FINAL | TEXT:
            if self._waiting is None or self._waiting.done():
                self._heard.append(payload)
            else:
                self._waiting.set_result(payload)
        elif first == FINAL | PING:
            self._send(PONG, payload)
        else:
            self._end(ConnectionError(f"closed: {payload[:2].hex()} {payload[2:].decode(errors='replace')}"))
            self._transport.close()

    def _end(self, error: Exception) -> None:
        self._ended = self._ended or error
        for waiting in (self.opened, self._waiting):
            if waiting is not None and not waiting.done():
                waiting.set_exception(self._ended)


async def wire(url: str, *, subprotocol: str, user: str, password: str) -> Wire:
    """Connected to a ws:// URL with HTTP Basic; raises ConnectionError where it is not let in."""
    at = urlsplit(url)
    assert at.hostname is not None and at.port is not None
    lines = (
        f"GET {at.path} HTTP/1.1",
        f"Host: {at.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {subprotocol}",
        f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}",
    )
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    _, made = await asyncio.get_running_loop().create_connection(lambda: Wire(request), at.hostname, at.port)
    await made.opened
    return made
