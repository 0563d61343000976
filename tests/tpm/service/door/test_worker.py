"""Threads stay with a connection for a moment, and nobody is the worse for it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx2

from dev.parts.tpm_service import TpmStack
from tpm.service.door.worker import LINGER_MS, LINGERING

REQUEST = b"GET /v1/health HTTP/1.1\r\nHost: tpm\r\n\r\n"
REFUSED = b"POST /v1/random HTTP/1.1\r\nHost: tpm\r\nContent-Length: 0\r\n\r\n"
MANY = 3 * LINGERING


@contextmanager
def connected(stack: TpmStack) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=60) as connection:
        yield connection


def answer(connection: socket.socket) -> bytes:
    """Return the status line of one answer, and read no further than its end."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        while not body.endswith(b"0\r\n\r\n"):
            body += some(connection)
    else:
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += some(connection)
    return head.split(b"\r\n")[0]


def some(connection: socket.socket) -> bytes:
    part = connection.recv(4096)
    assert part, "the connection was closed"
    return part


def test_a_connection_is_kept_through_pauses_of_any_length(tpm_stack: TpmStack) -> None:
    with connected(tpm_stack) as connection:
        for pause_ms in (0, 1, LINGER_MS / 2, LINGER_MS, 2 * LINGER_MS, 20 * LINGER_MS, 0):
            time.sleep(pause_ms / 1000)
            connection.sendall(REQUEST)
            assert answer(connection) == b"HTTP/1.1 200 OK"


def test_more_connections_than_threads_stay(tpm_stack: TpmStack) -> None:
    with ExitStack() as opened:
        connections = [opened.enter_context(connected(tpm_stack)) for _ in range(MANY)]
        for _ in range(3):
            for connection in connections:
                connection.sendall(REFUSED)
            assert {answer(connection) for connection in connections} == {b"HTTP/1.1 401 Unauthorized"}


def test_a_client_that_never_pauses_does_not_keep_others_out(tpm_stack: TpmStack) -> None:
    stopping = threading.Event()

    def hammer() -> None:
        with connected(tpm_stack) as connection:
            while not stopping.is_set():
                connection.sendall(REFUSED)
                answer(connection)

    threads = [threading.Thread(target=hammer) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert httpx2.get(f"{tpm_stack.service_url}/v1/health", timeout=60).status_code == 200
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def test_a_client_that_goes_away_leaves_no_thread_behind(tpm_stack: TpmStack) -> None:
    for _ in range(2 * MANY):
        with connected(tpm_stack) as connection:
            connection.sendall(REFUSED)
            answer(connection)
    with connected(tpm_stack) as connection:
        connection.sendall(REQUEST[:20])  # an unfinished request: the thread that waits for the rest is given back
    assert httpx2.get(f"{tpm_stack.service_url}/v1/health", timeout=60).status_code == 200
