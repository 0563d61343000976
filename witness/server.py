"""The HTTP server: few addresses, every connection with a deadline, and never more of them than fit.

POST /add-checkpoint, GET /status, and GET of the release's files at /.
"""

import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from witness.core import Answer, Witness
from witness.errors import shown
from witness.files import CLOSED, Served

BODY_BYTES_MAX = 64 * 1024
REQUEST_S = 10.0  # for a whole request, and for the client to take the answer
IDLE_S = 30.0  # for the next request on a connection, whole
CONNECTIONS_MAX = 64
WAIT_S = 2.0  # for a place
RETRY_S = 1

log = logging.getLogger("witness")


class WitnessServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves until `shutdown`. A connection whose deadline is past is cut off, whatever its client does."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], witness: Witness, files: Mapping[str, Served]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.witness, self.files = witness, files
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._waiting: dict[socket.socket, tuple[float, float]] = {}  # since when, until when
        self._lock = threading.Lock()
        super().__init__(address, Handler)
        threading.Thread(target=self._watch, daemon=True, name="deadlines").start()

    def limit(self, connection: socket.socket, seconds: float | None) -> None:
        """Cut this connection off after so many seconds; None: while we work, it waits."""
        with self._lock:
            if seconds is None:
                self._waiting.pop(connection, None)
            else:
                now = time.monotonic()
                self._waiting[connection] = now, now + seconds

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread; where there is no place, the client that we wait for longest has to go."""
        if not self._places.acquire(blocking=False):
            self._cut(longest=True)
            if not self._places.acquire(timeout=WAIT_S):
                log.warning("too many connections: one was closed")
                self.shutdown_request(request)
                return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # the system gives no thread
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, and give its place back."""
        try:
            self.limit(request, REQUEST_S)
            super().process_request_thread(request, client_address)
        finally:
            self.limit(request, None)
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is."""
        log.debug("connection ended", exc_info=True)

    def _watch(self) -> None:
        while True:
            time.sleep(0.5)
            self._cut()

    def _cut(self, *, longest: bool = False) -> None:
        """Cut off who is past the deadline; or the one that has kept us waiting longest."""
        now = time.monotonic()
        with self._lock:
            late = [connection for connection, (_, until) in self._waiting.items() if until < now]
            if longest and not late and self._waiting:
                late = [min(self._waiting, key=lambda connection: self._waiting[connection])]
            for connection in late:
                del self._waiting[connection]
        for connection in late:
            with suppress(OSError):  # it went by itself
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """One connection; HTTP/1.1, kept open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version, sys_version = "witness", ""
    server: WitnessServer

    def handle_one_request(self) -> None:
        """One request and its answer; the next one has its own deadline."""
        super().handle_one_request()
        self.server.limit(self.connection, IDLE_S)

    def do_GET(self) -> None:
        """Status and files."""
        self._get()

    def do_HEAD(self) -> None:
        """The same without the bytes."""
        self._get()

    def do_POST(self) -> None:
        """A checkpoint."""
        if self.path != "/add-checkpoint":
            self.close_connection = True
            self._answer(Answer(404, "there is nothing to post to but /add-checkpoint\n"))
            return
        body = self._body()
        if body is None:
            return
        self.server.limit(self.connection, None)
        try:
            answer = self.server.witness.add_checkpoint(body)
        except OSError:
            log.exception("the state cannot be written: nothing is cosigned")
            answer = Answer(503, "the witness cannot write its state\n")
        self._answer(answer)

    def _body(self) -> bytes | None:
        """The body; None once a refusal is answered."""
        lengths = self.headers.get_all("Content-Length") or []
        if (
            len(lengths) != 1
            or not (lengths[0].isascii() and lengths[0].isdecimal())
            or "Transfer-Encoding" in self.headers
        ):
            self.close_connection = True
            self._answer(Answer(411, "expected one Content-Length\n"))
            return None
        if len(lengths[0]) > 9 or int(lengths[0]) > BODY_BYTES_MAX:
            self.close_connection = True
            self._answer(Answer(413, f"expected at most {BODY_BYTES_MAX} bytes\n"))
            return None
        body = self.rfile.read(int(lengths[0]))
        if len(body) != int(lengths[0]):  # it went away, or was cut off
            self.close_connection = True
            return None
        return body

    def _get(self) -> None:
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body that nobody reads
        path = self.path.partition("?")[0]
        if path == "/add-checkpoint":
            self._answer(Answer(405, "expected POST\n"), {"Allow": "POST"})
        elif path == "/status":
            text = json.dumps(self.server.witness.status(), indent=1) + "\n"
            self._answer(Answer(200, text, "application/json"))
        elif path in self.server.files:
            served = self.server.files[path]
            self._send(200, served.data, served.content_type, served.policy, {})
        else:
            self._answer(Answer(404, "there is nothing here\n"))

    def _answer(self, answer: Answer, headers: Mapping[str, str] | None = None) -> None:
        more = dict(headers or {})
        if answer.status == 503:
            more["Retry-After"] = str(RETRY_S)
        self._send(answer.status, answer.text.encode(), answer.content_type, CLOSED, more)

    def _send(self, status: int, data: bytes, content_type: str, policy: str, headers: Mapping[str, str]) -> None:
        self.server.limit(self.connection, REQUEST_S)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *values: Any) -> None:
        """Each request, at the level that nobody reads every day."""
        log.debug("%s %s", self.client_address[0], shown(format % values))
