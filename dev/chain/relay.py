"""A wire between two nodes that can be cut: connections through it end, and new ones are refused until it is mended."""

import socket
import threading
from contextlib import suppress

from dev.common.processes import free_port


class Relay:
    """Listens on 127.0.0.1 and passes all bytes on to a port there."""

    def __init__(self, target_port: int) -> None:
        self.target_port, self.port = target_port, free_port()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.mend()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            ended = [one for one in (self._listener, *self._open) if one is not None]
            self._listener = None
            self._open.clear()
        for one in ended:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # also wakes the thread that waits for it
            one.close()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was cut
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.target_port), timeout=10)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                with self._lock:
                    here = self._listener is listener
                    self._open |= {near, far} if here else set()
                if not here:
                    near.close()
                    far.close()
                    return
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for one in (source, sink):
            with self._lock:
                self._open.discard(one)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
