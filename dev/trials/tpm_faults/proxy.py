"""Stands between a program and swtpm, and lets go wrong what can: connections cut, answers late, others' commands.

libtss2 connects to swtpm's data socket anew for each command, so a connection here mostly carries one. What is done to
commands is told by `inject`; somebody else's commands go in between by `held` and `exchange`.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dev.parts.swtpm import control_path

HEADER = struct.Struct(">HII")  # tag, size in bytes, command or response code (TPM 2.0 Library, Part 1, 18)
MAX_BYTES = 4096  # of a command or response; libtpms has 4,096
BACKLOG = 16

Cut = Literal["unsent", "half_sent", "unanswered", "half_answered"]
CUTS: tuple[Cut, ...] = ("unsent", "half_sent", "unanswered", "half_answered")


class ProxyError(Exception):
    """The TPM, or the other side, is gone."""


@dataclass
class Fault:
    """What happens to the next `times` commands, of these codes when some are named.

    `before` runs right before the command is passed on, and may use `exchange`. `cut` says where the connection ends.
    """

    times: int = 1
    codes: frozenset[int] = frozenset()
    delay_s: float = 0.0
    before: Callable[[bytes], None] | None = None
    cut: Cut | None = None
    used: threading.Event = field(default_factory=threading.Event)  # it has happened so many times


class TpmProxy:
    """Serves `path` and `path`.ctrl for the swtpm at `tpm`. Threads share it."""

    def __init__(self, path: Path, tpm: Path) -> None:
        self.path = path
        self._tpm = tpm
        self._conversation = threading.RLock()  # swtpm serves one connection at a time
        self._guard = threading.Lock()
        self._faults: list[Fault] = []
        self._open: set[socket.socket] = set()
        self._listeners: list[socket.socket] = []

    @property
    def tcti(self) -> str:
        return f"swtpm:path={self.path}"

    def start(self) -> None:
        """Listen, until `stop`; may be started again."""
        for path, serve in ((self.path, self._serve_data), (control_path(self.path), self._serve_control)):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(path))
            listener.listen(BACKLOG)
            self._listeners.append(listener)
            threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()

    def stop(self) -> None:
        """Go away: nobody listens any more, and what was open is cut."""
        for path in (self.path, control_path(self.path)):
            path.unlink(missing_ok=True)
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # which wakes who accepts
            listener.close()
        self._listeners.clear()
        with self._guard:
            for connection in self._open:
                _cut(connection)

    def inject(self, fault: Fault) -> None:
        """Have this happen to the commands that come next."""
        with self._guard:
            self._faults.append(fault)

    def heal(self) -> None:
        """Forget whatever has not happened yet."""
        with self._guard:
            self._faults.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the TPM to this thread's `exchange`: the program's next command waits."""
        with self._conversation:
            yield

    def exchange(self, command: bytes, *, half: bool = False) -> bytes:
        """Send one command to the TPM and return its response; raises ProxyError. With `half` only half is sent."""
        with self._conversation, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as upstream:
            try:
                upstream.connect(str(self._tpm))
                upstream.sendall(command[: len(command) // 2] if half else command)
                return b"" if half else _message(upstream)
            except OSError as error:
                raise ProxyError(f"the TPM is gone: {error}") from error

    def _accept(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed by `stop`
                return
            threading.Thread(target=self._serve, args=(connection, serve), daemon=True).start()

    def _serve(self, connection: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        with self._guard:
            self._open.add(connection)
        try:
            with suppress(OSError, ProxyError):
                serve(connection)
        finally:
            with self._guard:
                self._open.discard(connection)
            connection.close()

    def _serve_data(self, connection: socket.socket) -> None:
        while True:
            command = _message(connection)
            with self._conversation:
                fault = self._fault_for(command)
                try:
                    answer = self._passed_on(command, fault)
                finally:
                    if fault.times == 0:
                        fault.used.set()
            connection.sendall(answer)
            if fault.cut:
                return

    def _passed_on(self, command: bytes, fault: Fault) -> bytes:
        """Return the TPM's response, after whatever is to go wrong; raises ProxyError when that cuts the connection."""
        if fault.before is not None:
            fault.before(command)
        if fault.cut == "unsent":
            raise ProxyError("cut before the command")
        answer = self.exchange(command, half=fault.cut == "half_sent")
        time.sleep(fault.delay_s)
        if fault.cut in ("half_sent", "unanswered"):
            raise ProxyError("cut before the answer")
        return answer[: len(answer) // 2] if fault.cut == "half_answered" else answer

    def _fault_for(self, command: bytes) -> Fault:
        code = HEADER.unpack(command[: HEADER.size])[2]
        with self._guard:
            for fault in self._faults:
                if not fault.codes or code in fault.codes:
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                    return fault
        return Fault()

    def _serve_control(self, connection: socket.socket) -> None:
        """Pass on what the program asks of swtpm itself (its locality): one message, one answer."""
        while request := connection.recv(MAX_BYTES):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as upstream:
                upstream.connect(str(control_path(self._tpm)))
                upstream.sendall(request)
                answer = upstream.recv(MAX_BYTES)
            if not answer:
                return
            connection.sendall(answer)


def _message(connection: socket.socket) -> bytes:
    """Return one command or response, whole; raises ProxyError at the connection's end."""
    head = _exactly(connection, HEADER.size)
    size = HEADER.unpack(head)[1]
    if not HEADER.size <= size <= MAX_BYTES:
        raise ProxyError(f"expected a message of {HEADER.size} to {MAX_BYTES} bytes, got {size}")
    return head + _exactly(connection, size - HEADER.size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ProxyError("the connection ended")
        data += part
    return data


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
