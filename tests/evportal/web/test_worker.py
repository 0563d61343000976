"""The web process answers others while clients neither end their requests nor read their answers."""

import hashlib
import os
import socket
import time

import pytest

from dev.common.processes import wait_until
from tests.evportal.web.conftest import Start, Web, everything

HALVES = {
    "nothing": b"",
    "a letter": b"G",
    "half a line": b"GET /login HT",
    "half a head": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Le",
    "no body": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
    "half a body": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nusername=",
    "half a chunk": b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\nabc",
    "no last chunk": b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "half a station's": b"POST /api/v1/station/boot HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    "half of a second": b"GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHo",
}


def test_a_thousand_half_requests_hold_up_nobody(web: Web) -> None:
    halves = [web.connect(sent) for sent in HALVES.values() for _ in range(1000 // len(HALVES))]
    assert web.get("/digest").startswith(b"HTTP/1.1 200 OK")
    assert web.get("/api/v1/station/boot").endswith(b"/api/v1/station/boot")
    standing = [half for half in halves if not closed(half)]
    assert len(standing) == len(halves) == 1000  # they were all there meanwhile


def closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while data := client.recv(4096):  # the answer to the first of two
            assert data
    except BlockingIOError:
        return False
    return True


def test_who_does_not_read_holds_up_nobody(web: Web) -> None:
    request = b"GET /large/900000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    readers = [web.connect(request, window=2048) for _ in range(50)]
    assert web.get("/digest").startswith(b"HTTP/1.1 200 OK")
    assert everything(readers[7]).count(b"x" * 65_536) == 900_000 // 65_536  # and gets it all once it reads


def test_who_does_not_close_holds_up_nobody(web: Web) -> None:
    """gunicorn's own loop would wait for each of them for two seconds, with everybody."""
    last = [web.connect(b"GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") for _ in range(200)]
    assert web.get("/digest").startswith(b"HTTP/1.1 200 OK")
    assert all(everything(client).endswith(b"/one") for client in last)


def test_slow_pages_do_not_make_stations_wait(web: Web) -> None:
    """As many pages as there are threads are being made; a station is answered all the same."""
    pages = [web.connect(b"GET /slow/20 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(8)]
    assert web.get("/api/v1/station/boot").endswith(b"/api/v1/station/boot")
    assert not any(closed(page) for page in pages)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_arrives_as_it_was_sent(web: Web, size: int, chunked: bool) -> None:
    body = os.urandom(size)
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    if chunked:
        parts = [body[at : at + 70_000] for at in range(0, size, 70_000)]
        sent = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nX-Trailer: y\r\n\r\n"
        request = head + b"Transfer-Encoding: chunked\r\n\r\n" + sent
    else:
        request = head + b"Content-Length: %d\r\n\r\n" % size + body
    answer = web.ask(request)
    assert answer.endswith(hashlib.sha256(body).hexdigest().encode())


def test_a_request_in_single_bytes(web: Web) -> None:
    client = web.connect()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    request = head + b"2\r\nab\r\n0\r\n\r\n"
    for number in range(len(request)):
        client.sendall(request[number : number + 1])
    assert everything(client).endswith(hashlib.sha256(b"ab").hexdigest().encode())


def test_many_requests_on_one_connection(web: Web) -> None:
    """One after the other, and several at once."""
    client, answer = web.connect(), b""
    for _ in range(3):
        client.sendall(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
        while not answer.endswith(b"/one"):
            answer += (part := client.recv(65_536))
            assert part
        answer = b""
    client.sendall(b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab" * 3)
    answer = web.ask(b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", client)
    assert answer.count(hashlib.sha256(b"ab").hexdigest().encode()) == 3 and answer.endswith(b"/last")


def test_a_client_that_waits_for_100_continue(web: Web) -> None:
    client = web.connect(
        b"POST /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    assert client.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert web.ask(b"ab", client).endswith(hashlib.sha256(b"ab").hexdigest().encode())


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 5000, b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_request_is_refused(web: Web, request_: bytes, status: bytes) -> None:
    answer = web.ask(request_)
    assert answer.startswith(b"HTTP/1.1 " + status), answer
    assert answer.count(b"HTTP/1.1") == 1
    assert web.get("/digest").startswith(b"HTTP/1.1 200 OK")


def test_a_body_that_is_not_read_begins_no_request(web: Web) -> None:
    hidden = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    request = b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden
    answer = web.ask(request + b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"/hidden" not in answer and answer.endswith(b"/last")


def test_where_all_places_are_taken_the_oldest_makes_room(start_web: Start) -> None:
    arguments = ("--workers", "1", "--threads", "2", "--worker-connections", "64")
    web = start_web(*arguments, "tests.evportal.web.app:application")
    halves = [web.connect(b"GET /") for _ in range(300)]
    assert web.get("/digest").startswith(b"HTTP/1.1 200 OK")
    assert closed(halves[0]) and not closed(halves[-1])


def test_bodies_that_never_end_take_little_memory(web: Web) -> None:
    body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n" + b"x" * 2_000_000
    for _ in range(100):
        web.connect(body)
    readers = b"GET /large/1048576 HTTP/1.1\r\nHost: x\r\n\r\n"
    for _ in range(200):
        web.connect(readers, window=2048)
    assert web.get("/digest").startswith(b"HTTP/1.1 200 OK")
    time.sleep(1)  # its sweep comes by
    assert web.memory_mb() < 300


def test_a_worker_that_ends_answers_first(web: Web) -> None:
    waiting = web.connect()
    asked = web.connect(b"GET /slow/1 HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.3)
    os.kill(web.child.pid, 15)
    assert everything(asked).endswith(b"/slow/1")
    assert everything(waiting) == b""
    assert wait_until(lambda: not web.child.alive, 10)
