"""A client's connection: what it sent of a request, what it has not taken yet of an answer, how long it may wait."""

import contextlib
import enum
import select
import socket
import time
from typing import Any

from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from evportal.web.incoming import IN_MEMORY_BYTES, Incoming

REQUEST_S = 20.0  # from its first byte to its last, and longer for what has to be long
BYTES_PER_S = 16 * 1024
END_S = 2.0
AHEAD_BYTES = 1024 * 1024  # of an answer that wait for the client; a thread that has more waits with them
READER_S = 10.0  # and so long for each further bit


class Phase(enum.Enum):
    """What the loop waits for."""

    REQUEST = enum.auto()
    ANSWER = enum.auto()  # until the client has taken it
    END = enum.auto()  # until the client has closed, too


class Channel:
    """What gunicorn takes for the socket: reads what was collected, keeps what the client does not take at once."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._out = bytearray()
        self.broken = False

    @property
    def pending(self) -> int:
        """How many bytes the client has not taken yet."""
        return len(self._out)

    def recv(self, most: int) -> bytes:
        """Of the collected request; nothing behind it, as if the client had closed."""
        return self._connection.incoming.recv(most)

    def sendall(self, data: bytes | memoryview) -> None:
        """Send, or keep for the loop; raises OSError where nobody is there, or reads too slowly."""
        if self.broken:
            raise BrokenPipeError
        try:
            self._out += data
            self.flush()
            while len(self._out) > AHEAD_BYTES:
                poll = select.poll()
                poll.register(self._connection.raw, select.POLLOUT)
                if not poll.poll(READER_S * 1000):
                    raise BrokenPipeError
                self.flush()
        except OSError:
            self.broken = True
            self._out.clear()
            raise

    def send(self, data: bytes) -> int:
        """gunicorn sends `100 Continue` by it, which the loop has done."""
        return len(data)

    def flush(self) -> None:
        """Send what the client takes now; raises OSError where it is gone."""
        while self._out:
            try:
                sent = self._connection.raw.send(memoryview(self._out)[: 256 * 1024])
            except BlockingIOError:
                return
            del self._out[:sent]

    def setblocking(self, flag: bool) -> None:
        """Nothing here blocks."""

    def gettimeout(self) -> float | None:
        """As a socket that waits for no time."""
        return None

    def settimeout(self, seconds: float | None) -> None:
        """Nothing here waits."""

    def shutdown(self, how: int) -> None:
        """The loop ends connections."""
        self.broken = True

    def close(self) -> None:
        """The loop ends connections."""
        self.broken = True


class Connection(TConn):  # type: ignore[misc]
    """gunicorn's connection, on a channel."""

    def __init__(self, cfg: Any, raw: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, raw, client, server)  # makes it non-blocking
        self.raw = raw
        self.sock = Channel(self)
        self.incoming = Incoming()
        self.initialized = self.data_ready = True
        self.keep = False
        self.phase = Phase.REQUEST
        self.deadline = self._began = 0.0

    def enter(self, phase: Phase) -> None:
        """Begin to wait for something: a next request may be late, what has begun may not."""
        self.phase, self._began = phase, time.monotonic()
        self.progress()

    def progress(self) -> None:
        """How long it may wait, by what was sent so far: a long body needs its time, one that drips does not get it."""
        wait = {Phase.REQUEST: REQUEST_S, Phase.ANSWER: REQUEST_S, Phase.END: END_S}[self.phase]
        if self.phase is Phase.REQUEST and self.keep and not self.incoming.begun:
            wait = float(self.cfg.keepalive)
        self.deadline = self._began + wait + (self.incoming.size + self.sock.pending) / BYTES_PER_S

    def next_request(self) -> bytes:
        """Ready for the next one; returns what came of it already."""
        surplus = self.incoming.surplus
        self.incoming.close()
        self.incoming = Incoming()
        return surplus

    def refuse(self, status: str) -> None:
        """Say so, as far as the client listens, and that it is over."""
        self.keep = False
        answer = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        with contextlib.suppress(OSError):
            self.raw.send(answer.encode("ascii"))

    @property
    def in_memory(self) -> int:
        """Bytes that it holds in memory."""
        return len(self.incoming.head) + min(self.incoming.size, IN_MEMORY_BYTES) + self.sock.pending

    @property
    def in_files(self) -> int:
        """Bytes that it holds in a temporary file."""
        return self.incoming.size if self.incoming.size > IN_MEMORY_BYTES else 0

    def close(self, graceful: bool = False) -> None:
        """Close, at once: the loop has waited where somebody should."""
        self.incoming.close()
        self.raw.close()
