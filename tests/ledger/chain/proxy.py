"""A proxy in front of a real node that cuts, delays and answers errors, call by call, as the test says."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

Answer = tuple[int, bytes]
Fault = Callable[[Callable[[], Answer]], Answer | None]  # gets "ask the node"; None cuts the connection


def cut_before(ask: Callable[[], Answer]) -> None:
    """The request never reaches the node."""


def cut_after(ask: Callable[[], Answer]) -> None:
    """The node does it, and the answer is lost."""
    ask()


def late(seconds: float) -> Fault:
    def fault(ask: Callable[[], Answer]) -> Answer:
        answer = ask()
        time.sleep(seconds)
        return answer

    return fault


def says(status: int, body: bytes) -> Fault:
    return lambda ask: (status, body)


def in_json(status: int, content: object) -> Fault:
    return says(status, json.dumps(content).encode())


def error(code: int, name: str, message: str = "provoked") -> Fault:
    details = [{"message": message}]
    content = {"code": 500, "message": "Internal Service Error", "error": {"code": code, "name": name, "what": name}}
    content["error"]["details"] = details  # type: ignore[index]
    return says(500, json.dumps(content).encode())


def altered(change: Callable[[dict[str, Any]], None]) -> Fault:
    """The node's own answer, changed on the way."""

    def fault(ask: Callable[[], Answer]) -> Answer:
        status, body = ask()
        content = json.loads(body)
        change(content)
        return status, json.dumps(content).encode()

    return fault


class Proxy:
    """`faults[call]` is a list of faults for the next calls; `always[call]` stays. `calls` counts what came."""

    def __init__(self, target: str, headers: Mapping[str, str] | None = None) -> None:
        """`headers` are sent with every request to the target; those of the caller are not passed on."""
        self.target = target
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.always: dict[str, Fault] = {}
        self.calls: dict[str, list[bytes]] = defaultdict(list)
        self.headers: dict[str, str] = {}  # of every answer, besides its own
        self._http = httpx2.Client(timeout=60, headers=headers)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, path: str, body: bytes) -> Answer | None:
        call = path.rsplit("/", 1)[-1]
        self.calls[call].append(body)

        def ask() -> Answer:
            response = self._http.request(method, self.target + path, content=body)
            return response.status_code, response.content

        fault = self.faults[call].pop(0) if self.faults[call] else self.always.get(call)
        try:
            return fault(ask) if fault else ask()
        except httpx2.HTTPError:  # the node is away
            return None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked is gone: killed, as chaos does."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = proxy.answer(self.command, self.path, body)
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(answer[0])
            self.send_header("content-type", "application/json")
            self.send_header("access-control-allow-origin", "*")  # as the node itself: browsers ask, too
            for name, value in proxy.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """The tests' output is for the tests."""

    return Handler
