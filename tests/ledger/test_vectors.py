"""All vectors through portal and script, in this process and as a process that asks servers: what is right is said."""

import ipaddress
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dev.common.processes import free_port
from ledger.receipts.node_reader import place_of
from tests.ledger.receipts.receipt_chain import SCRIPT
from tests.vectors import make
from tests.vectors.loading import DIRECTORY, Vector, vectors
from tests.vectors.verifiers import Said, portal, script

NAMES = [vector.name for vector in vectors()]
BY_NAME = {vector.name: vector for vector in vectors()}


def test_the_files_are_what_is_made() -> None:
    made = make.files()
    assert {path.name: path.read_text() for path in DIRECTORY.glob("*.json")} == made
    assert len(made) >= 60


def test_each_verdict_and_each_step_is_among_them() -> None:
    rights = [vector.right for vector in vectors()]
    assert {right["verdict"] for right in rights} == {"VERIFIED", "NOT VALID", "NOT DECIDED"}
    for step in range(12):
        never = {0: {"undecided"}, 2: {"failed"}}.get(step, set())  # no node is asked; a node may be behind
        assert {right["steps"][step] for right in rights} == {"ok", "failed", "undecided"} - never, step


# --- in this process


@pytest.mark.parametrize("verifier", [portal, script])
@pytest.mark.parametrize("name", NAMES)
def test_portal_and_script_say_what_is_right(name: str, verifier: Callable[[Vector], Said]) -> None:
    vector = BY_NAME[name]
    assert verifier(vector) == Said.right(vector), vector.why


# --- as a process


class Servers:
    """Real servers at the addresses of the vectors' nodes, for one case after the other."""

    PORTS = (8888, 8889)
    ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "::1")

    def __init__(self) -> None:
        self.ports = {port: free_port() for port in self.PORTS}
        self.vector = vectors()[0]

    def answer(self, address: str, port: int, call: str, body: bytes) -> tuple[int, bytes]:
        """Of two names of one node the first is meant."""
        here = "127.0.0.1" if address == "::1" else address
        for url in self.vector.urls:
            place = place_of(url)
            if here in place.addresses and place.port == port:
                return self.vector.answer(url, call, body)
        return 404, b""

    def url(self, written: str) -> str:
        for port, real in self.ports.items():
            written = written.replace(f":{port}", f":{real}")
        return written


def serve(servers: Servers, address: str, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, content = servers.answer(address, port, self.path.rpartition("/")[2], body)
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """The tests' output is for the tests."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        daemon_threads = True

    server = Server((address, servers.ports[port]), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    made = Servers()
    with ExitStack() as stack:
        for address in made.ADDRESSES:
            for port in made.PORTS:
                server = serve(made, address, port)
                stack.callback(server.server_close)
                stack.callback(server.shutdown)
        yield made


PLACES = (
    "same",
    "ports",
    "nodes",
    "good",
    "context-free",
    "code",
    "credited",
    "file-utf-16",
    "account-other",
    "tree-def",
    "signed-pinned",
)
AS_PROCESS = [name for name in NAMES if name.startswith(PLACES)]


@pytest.mark.parametrize("name", AS_PROCESS)
def test_the_script_as_a_process_says_what_is_right(name: str, servers: Servers, tmp_path: Path) -> None:
    servers.vector = vector = BY_NAME[name]
    path = tmp_path / "receipt.json"
    path.write_bytes(vector.receipt)
    pins = [(f"--{pin.replace('_', '-')}", value) for pin, value in vector.pins.items() if isinstance(value, str)]
    pins += [("--meter-key", key) for key in vector.pins["meter_keys"]]
    command = [sys.executable, "-I", str(SCRIPT), str(path), "--json", *(part for pin in pins for part in pin)]
    command += [part for url in vector.urls for part in ("--node", servers.url(url))]
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/", env=environment)
    said = json.loads(done.stdout or "{}")
    assert said, done.stderr
    outcomes = {"verdict": said["verdict"], "steps": [step[1] for step in said["steps"]], "notices": said["notices"]}
    assert outcomes == vector.right, vector.why
    assert done.returncode == ["VERIFIED", "NOT VALID", "NOT DECIDED"].index(vector.right["verdict"])
