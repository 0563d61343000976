"""gunicorn's threaded worker, whose threads never wait for a client: neither for a request's end nor for its reader.

gunicorn gives a connection to a thread once its first byte is there, and the thread waits for the rest: as many half
requests as there are threads, from anybody, and nobody else is answered. Here the worker's loop collects each request
and sends what the client has not taken yet; a thread gets whole requests and leaves whole answers. Whoever is too slow
is let go, and where the places or the room are used up, whoever waits longest.

Stations have threads of their own: no reader's page makes a charge wait.
"""

import errno
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.http import get_parser  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from evportal.web.connection import Connection, Phase
from evportal.web.incoming import Refused

STATIONS = b"/api/v1/station/"
SPARE_PLACES = 16  # for connections that are just made or let go
ROOM_BYTES = 64 * 1024 * 1024  # for what waits in memory, in both directions
FILES_BYTES = 256 * 1024 * 1024  # for large bodies that wait, in temporary files
READ_BYTES = 64 * 1024
SWEEP_S = 0.5
FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PASSING = {errno.EAGAIN, errno.ECONNABORTED}


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """A loop that has all connections, and threads that have whole requests."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.cfg.is_ssl:
            raise RuntimeError("HTTPS ends before this worker: put a proxy in front, not a certificate into gunicorn")
        self._waiting: dict[Connection, None] = {}  # in the order in which they began to wait
        self._swept_at = 0.0
        self._stations: ThreadPoolExecutor

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """The threads for everybody; those for stations beside them."""
        self._stations = ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="stations")
        return ThreadPoolExecutor(self.cfg.threads, thread_name_prefix="web")

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, also where there is no place left: then the one that waits longest makes room."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in FULL and self._waiting:
                self._let_go(next(iter(self._waiting)))
            elif error.errno not in FULL | PASSING:
                raise
            return
        self.nr_conns += 1
        connection = Connection(self.cfg, client, address, listener.getsockname())
        self._wait(connection, Phase.REQUEST)
        if len(self._waiting) > self.worker_connections - self.cfg.threads - SPARE_PLACES:
            self._let_go(next(iter(self._waiting)))

    # --- the loop's side

    def _wait(self, connection: Connection, phase: Phase) -> None:
        connection.enter(phase)
        self._waiting[connection] = None
        steps: dict[Phase, Callable[[Connection], None]] = {
            Phase.REQUEST: self._collect,
            Phase.ANSWER: self._send,
            Phase.END: self._drain,
        }
        events = selectors.EVENT_WRITE if phase is Phase.ANSWER else selectors.EVENT_READ
        self.poller.register(connection.raw, events, partial(self._step, steps[phase], connection))

    def _stop_waiting(self, connection: Connection) -> None:
        if connection in self._waiting:
            del self._waiting[connection]
            self.poller.unregister(connection.raw)

    def _step(self, step: Callable[[Connection], None], connection: Connection, _: Any) -> None:
        """One step of a connection that became ready; whatever goes wrong ends this connection alone."""
        if connection not in self._waiting:  # let go since the loop was told
            return
        try:
            step(connection)
        except (BlockingIOError, InterruptedError):
            return
        except Refused as refused:
            connection.refuse(refused.status)
            self._answered(connection)
        except OSError:
            self._let_go(connection)

    def _collect(self, connection: Connection) -> None:
        data = connection.raw.recv(READ_BYTES)
        if not data:
            self._let_go(connection)
        else:
            self._feed(connection, data)

    def _feed(self, connection: Connection, data: bytes) -> None:
        if connection.incoming.feed(data):
            self._stop_waiting(connection)
            connection.incoming.rewind()
            connection.parser = get_parser(self.cfg, connection.sock, connection.client)
            self.enqueue_req(connection)
            return
        connection.progress()
        if connection.incoming.wants_continue:
            connection.incoming.wants_continue = False
            connection.raw.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _send(self, connection: Connection) -> None:
        connection.sock.flush()
        if not connection.sock.pending:
            self._answered(connection)

    def _drain(self, connection: Connection) -> None:
        if not connection.raw.recv(READ_BYTES):
            self._let_go(connection)

    def _let_go(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        self.nr_conns -= 1
        connection.close()

    # --- from the loop to a thread, and back

    def enqueue_req(self, conn: TConn) -> None:
        """Give a whole request to a thread."""
        pool = self._stations if conn.incoming.path.startswith(STATIONS) else self.tpool
        pool.submit(self.handle, conn).add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Take a connection back from its thread: the rest of the answer, the next request, or its end."""
        unread = conn.sock.recv(1) or conn.parser.unreader.buf.getvalue()  # gunicorn saw another end than we
        conn.keep = (
            not fs.cancelled() and not fs.exception() and fs.result() is True and not unread and not conn.sock.broken
        )
        try:
            conn.sock.flush()
        except OSError:
            self._let_go(conn)
            return
        if conn.sock.pending:
            self._wait(conn, Phase.ANSWER)
        else:
            self._answered(conn)

    def _answered(self, connection: Connection) -> None:
        self._stop_waiting(connection)
        if not connection.keep or not self.alive:
            try:
                connection.raw.shutdown(socket.SHUT_WR)
            except OSError:
                self._let_go(connection)
            else:
                self._wait(connection, Phase.END)  # for a moment: closed at once, the answer's end might get lost
            return
        surplus = connection.next_request()
        self._wait(connection, Phase.REQUEST)
        if surplus:
            self._step(partial(self._feed, data=surplus), connection, None)

    # --- from time to time

    def murder_pending(self) -> None:
        """Let go who is too slow, and who waits longest where all of them have too much."""
        now = time.monotonic()
        if now < self._swept_at + SWEEP_S:
            return
        self._swept_at = now
        for connection in [connection for connection in self._waiting if connection.deadline < now]:
            self._let_go(connection)
        room = sum(connection.in_memory for connection in self._waiting) - ROOM_BYTES
        files = sum(connection.in_files for connection in self._waiting) - FILES_BYTES
        for connection in list(self._waiting):
            if (room > 0 and connection.in_memory) or (files > 0 and connection.in_files):
                room, files = room - connection.in_memory, files - connection.in_files
                self._let_go(connection)

    def murder_keepalived(self, force: bool = False) -> None:
        """At the very end: nobody waits any longer. Until then `murder_pending` does it."""
        for connection in list(self._waiting) if force else ():
            self._let_go(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """The worker ends: who sends nothing is let go at once, the others soon."""
        for connection in list(self._waiting):
            connection.deadline = min(connection.deadline, deadline)
            if connection.phase is Phase.REQUEST and not connection.incoming.begun:
                self._let_go(connection)
