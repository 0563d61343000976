"""A server that is nobody's friend, and how much memory a process took at most while it asked there."""

import json
import os
import socketserver
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import brotli  # type: ignore[import-untyped]

from dev.stack.layout import ROOT

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MB = 1024 * 1024
Send = Callable[[Callable[[bytes], None], threading.Event], None]


@cache
def _packed(kind: str) -> bytes:
    """800 MB of spaces."""
    packers: dict[str, Any] = {
        "gzip": lambda: zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16),
        "deflate": lambda: zlib.compressobj(1),
        "br": lambda: _Brotli(quality=1),
    }
    packer = packers[kind]()
    body = b"".join(packer.compress(b" " * 8 * MB) for _ in range(100)) + packer.flush()
    return _said_to_be(kind, body)


class _Brotli(brotli.Compressor):  # type: ignore[misc]
    """As zlib's objects are."""

    def compress(self, data: bytes) -> bytes:
        return bytes(self.process(data))

    def flush(self) -> bytes:
        return bytes(self.finish())


def _said_to_be(kind: str, body: bytes) -> bytes:
    return HEAD + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (kind.encode(), len(body)) + body


def _once(answer: bytes) -> Send:
    return lambda send, _: send(answer)


def _made(kind: str) -> Send:
    return lambda send, _: send(_packed(kind))


def _endless(head: bytes, part: bytes) -> Send:
    def send_all(send: Callable[[bytes], None], ended: threading.Event) -> None:
        send(head)
        while not ended.is_set():
            send(part)

    return send_all


def _dripping(head: bytes, part: bytes) -> Send:
    def drip(send: Callable[[bytes], None], ended: threading.Event) -> None:
        send(head)
        while not ended.wait(0.05):
            send(part)

    return drip


BOMBS: dict[str, Send] = {
    "gzip": _made("gzip"),
    "deflate": _made("deflate"),
    "br": _made("br"),
    "zstd": _once(_said_to_be("zstd", b"\x28\xb5\x2f\xfd" + b"\x00" * 1000)),
    "said to be packed": _once(_said_to_be("identity, gzip", b"{}")),
    "endless": _endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "endless, of one length": _endless(HEAD + b"Content-Length: 99999999999\r\n\r\n", b" " * 65_536),
    "endless, of no length": _endless(HEAD + b"\r\n", b"[" * 65_536),
    "endless head": _endless(HEAD, b"X-A: " + b"a" * 60_000 + b"\r\n"),
    "endless informing": _endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000),
    "endless chunk extension": _endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 65_536),
    "dripping": _dripping(HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "dripping head": _dripping(HEAD, b"X"),
    "dripping status": _dripping(b"", b"H"),
    "nested": _once(HEAD + b"Content-Length: 40000\r\n\r\n" + b"[" * 40_000),
}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@contextmanager
def bomb(name: str) -> Iterator[str]:
    """The address of a server that answers everything with it."""
    ended = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                self.request.recv(65_536)
                BOMBS[name](self.request.sendall, ended)
            except OSError:
                return

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            ended.set()
            server.shutdown()


@dataclass(frozen=True)
class Asked:
    """What a process said of each, and its memory at most."""

    said: list[str]
    memory_mb: float


def in_a_process(code: str, urls: Sequence[str]) -> Asked:
    """Run the function `ask(url)` of this code for each address, in a process with the portal's Django set up."""
    script = f"""
import json, django
django.setup()
{code}
said = [str(ask(url)) for url in {urls!r}]
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss has the parent's, too
print(json.dumps([said, int(peak.split()[1]) / 1024]))
"""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "evportal.settings", "EVPORTAL_WEBHOOK_ALLOW_LOCAL": "1"}
    environment |= {"EVPORTAL_OCPI_PARTNER_URLS": "any"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    said, memory = json.loads(done.stdout.splitlines()[-1])
    return Asked(said, memory)
