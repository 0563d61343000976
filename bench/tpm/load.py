"""Clients of the TPM service that cost little: processes with one kept connection each and requests made beforehand.

A request takes such a client 0.06 ms of its core; what is measured is the service. No httpx2, no curl, no wrk: those
take from 0.3 ms on, or cannot bring another digest with each request.
"""

import base64
import json
import multiprocessing
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 30.0
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Service:
    """Where signatures come from: the port on 127.0.0.1, a key's name, and an access token that may use it."""

    port: int
    key: str
    token: str


@dataclass(frozen=True)
class Load:
    """What some clients did together: requests a second, and how long each took (s)."""

    requests_per_s: float
    latencies_s: list[float]


def sign(service: Service, *, clients: int, requests: int, batch: int = 0, form: str = "der") -> Load:
    """Have clients send `requests` each at the same time; with `batch`, so many digests in every request."""
    start = FORK.Barrier(clients)
    pipes = []
    for _ in range(clients):
        bodies = [_body(batch, form) for _ in range(requests)]
        receiver, sender = FORK.Pipe(duplex=False)
        FORK.Process(target=_client, args=(service, bodies, start, sender), daemon=True).start()
        sender.close()  # so that a client that fails ends the wait for it
        pipes.append(receiver)
    done: list[tuple[float, list[float]]] = [pipe.recv() for pipe in pipes]
    begun = min(began for began, _ in done)
    ended = max(began + sum(latencies) for began, latencies in done)
    latencies_s = [latency for _, latencies in done for latency in latencies]
    return Load(len(latencies_s) / (ended - begun), latencies_s)


def _body(batch: int, form: str) -> bytes:
    items = [{"digest": base64.b64encode(secrets.token_bytes(32)).decode(), "format": form} for _ in range(batch or 1)]
    return json.dumps({"batch": items} if batch else items[0]).encode()


def _client(service: Service, bodies: Sequence[bytes], start: Any, sender: Any) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST /v1/keys/{service.key}/sign HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n"
        head += f"Authorization: Bearer {service.token}\r\nContent-Type: application/json\r\nContent-Length: "
        latencies = []
        start.wait(TIMEOUT_S)
        began = before = time.monotonic()
        for body in bodies:
            connection.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
            _read_answer(connection)
            now = time.monotonic()
            latencies.append(now - before)
            before = now
    sender.send((began, latencies))


def _read_answer(connection: socket.socket) -> None:
    """Read one answer, which has to be 200 and to have a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), received
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += _some(connection)


def _some(connection: socket.socket) -> bytes:
    some = connection.recv(65536)
    assert some, "expected an answer, got the end of the connection"
    return some
