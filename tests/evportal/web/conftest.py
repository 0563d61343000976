"""A web process as it is started everywhere, with a small program or the portal itself, and clients on bare sockets."""

import contextlib
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dev.common.processes import Child, free_port, port_open
from dev.stack.layout import ROOT


@dataclass
class Web:
    """A web process. Each of its clients waits for 30 s at most: then it is held up, not slow."""

    child: Child
    port: int
    stack: ExitStack = field(default_factory=ExitStack)

    def connect(self, sent: bytes = b"", *, window: int | None = None) -> socket.socket:
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(30)
        if window:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        client.connect(("127.0.0.1", self.port))
        self.stack.enter_context(contextlib.closing(client))
        client.sendall(sent)
        return client

    def ask(self, request: bytes, client: socket.socket | None = None) -> bytes:
        """The whole answer, until the connection is closed."""
        client = client or self.connect()
        client.sendall(request)
        return everything(client)

    def get(self, path: str) -> bytes:
        host = f"Host: 127.0.0.1:{self.port}"
        return self.ask(f"GET {path} HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n".encode())

    def memory_mb(self) -> float:
        """Of its largest process."""
        children = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        return max(_peak_mb(int(pid)) for pid in children)


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def everything(client: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65_536):
            parts.append(part)
    return b"".join(parts)


Start = Callable[..., Web]


@pytest.fixture
def start_web(tmp_path: Path) -> Iterator[Start]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))  # a thousand clients of ours
    started: list[Web] = []

    def start(*arguments: str, **environment: str) -> Web:
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "--config", "evportal/web/gunicorn.conf.py"]
        command += ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "3", *arguments]
        child = Child("web", command, log=tmp_path / "web.log", cwd=ROOT, env=os.environ | environment)
        started.append(web := Web(child, port))
        child.start()
        child.wait_ready(lambda: port_open(port), timeout_s=60)
        return web

    yield start
    for web in started:
        web.stack.close()
        web.child.stop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def web(start_web: Start) -> Web:
    """One process with two threads: two that wait for a client would be all of them."""
    return start_web("--workers", "1", "--threads", "2", "tests.evportal.web.app:application")
