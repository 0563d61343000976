"""The program as people run it: killed at any moment, asked by many at once, ended, and served with nonsense."""

import hashlib
import http.client
import random
import re
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from dev.common.processes import wait_until
from ledger.standalone import BESIDE, HERE, PAGE, SCRIPT
from tests.witness.a_log import ALog, root_of
from tests.witness.conftest import Program
from witness.notes import Checkpoint, Note, VerifierKey

Made = Callable[[], Program]


def asked(program: Program, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=60)
    connection.request(method, path, body)
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.headers
    connection.close()
    return found


def witnessing(program: Program, log: ALog) -> Program:
    program.configure(f'[[log]]\nvkey = "{log.vkey.text}"\n')
    program.start()
    return program


def test_killed_at_any_moment_it_never_signs_two_roots(program: Made) -> None:
    """Two faces of a log are shown to it in turns, and it is killed while it answers: it keeps to what it said."""
    faces = [ALog(200), ALog(200)]
    faces[1]._key, faces[1].vkey = faces[0]._key, faces[0].vkey  # one operator
    faces[1].leaves[0] = bytes(40)
    witness, chance = witnessing(program(), faces[0]), random.Random(3)
    signed: dict[int, set[bytes]] = {}
    sizes = [0, 0]

    def ask(face: int) -> None:
        """Goes on with a face until the witness is gone."""
        while True:
            log, old = faces[face], sizes[face]
            size = min(old + chance.randint(0, 3), 200)
            request = log.request(old, size)
            try:
                status, answer, headers = asked(witness, "POST", "/add-checkpoint", request)
            except (OSError, http.client.HTTPException):
                return
            if status == 200:
                note = Note.parse(request.partition(b"\n\n")[2] + answer)
                assert note.signed_by(VerifierKey.parse(witness.vkey))
                checkpoint = Checkpoint.parse(note.text)
                signed.setdefault(checkpoint.size, set()).add(checkpoint.root)
                sizes[face] = size
            elif headers["Content-Type"] == "text/x.tlog.size":
                sizes[face] = int(answer)
            if sizes[face] == 200:
                return

    for _ in range(6):
        _until_killed(witness, ask, signed)
    assert signed
    assert all(len(roots) == 1 for size, roots in signed.items() if size)
    chosen = {
        face
        for size, (root, *_) in signed.items()
        if size
        for face in (0, 1)
        if root_of(faces[face].leaves[:size]) == root
    }
    assert len(chosen) == 1


def _until_killed(witness: Program, ask: Callable[[int], None], signed: dict[int, set[bytes]]) -> None:
    """Both faces are shown by two threads each, until a few more are signed; then it is killed and runs again."""
    threads = [threading.Thread(target=ask, args=(face,)) for face in (0, 1, 0, 1)]
    enough = len(signed) + 5
    for thread in threads:
        thread.start()
    assert wait_until(lambda: len(signed) > enough or not any(thread.is_alive() for thread in threads), timeout_s=60)
    witness.kill()
    for thread in threads:
        thread.join()
    witness.start()


def test_many_at_once_only_go_forward(program: Made) -> None:
    log = ALog(64)
    witness = witnessing(program(), log)

    def grow(size: int) -> tuple[int, int]:
        return asked(witness, "POST", "/add-checkpoint", log.request(0, size))[0], size

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(grow, range(1, 65)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 63
    ((_, size),) = [answer for answer in answers if answer[0] == 200]
    status, body, _ = asked(witness, "POST", "/add-checkpoint", log.request(0, 64))
    assert (status, int(body)) == (409, size)


def test_it_ends_when_it_is_told_and_does_not_run_twice(program: Made) -> None:
    witness = witnessing(program(), ALog(3))
    config = str(witness.directory / "witness.toml")
    assert "another witness runs on this state" in witness.run("run", "--config", config, status=1)
    assert witness.run("show", "--config", config).startswith(witness.vkey)
    assert witness.end() == 0
    log = witness.log.read_text()
    assert "listens on 127.0.0.1" in log
    assert "ended" in log


def test_it_tells_how_it_is_used(program: Made) -> None:
    witness = program()
    for command in ("keygen", "run", "show", "enrol"):
        assert "usage" in witness.run(command, "--help")


def test_page_and_scripts_are_those_of_the_release(program: Made) -> None:
    witness = witnessing(program(), ALog(3))
    sums = asked(witness, "GET", "/SHA256SUMS")[1].decode()
    assert sums == (HERE / "SHA256SUMS").read_text()
    for path in (PAGE, SCRIPT, *BESIDE):
        status, data, headers = asked(witness, "GET", f"/{path.name}")
        assert (status, data) == (200, path.read_bytes())
        assert f"{hashlib.sha256(data).hexdigest()}  {path.name}" in sums
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    status, data, headers = asked(witness, "GET", "/")
    policy = headers["Content-Security-Policy"]
    assert data == PAGE.read_bytes()
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    own = re.search(r'Content-Security-Policy" content="([^"]*)"', data.decode())
    assert own
    assert policy.startswith(own[1])
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    status, nothing, headers = asked(witness, "HEAD", "/")
    assert (status, nothing, int(headers["Content-Length"])) == (200, b"", len(data))


def test_a_page_that_is_not_the_releases_stops_it(program: Made) -> None:
    witness = program()
    release = witness.directory / "release"
    release.mkdir()
    for name in ("SHA256SUMS", *(path.name for path in (PAGE, SCRIPT, *BESIDE))):
        (release / name).write_bytes((HERE / name).read_bytes())
    (release / SCRIPT.name).write_bytes(SCRIPT.read_bytes() + b"#")
    witness.configure('release = "release"\n')
    said = witness.run("run", "--config", str(witness.directory / "witness.toml"), status=1)
    assert "not the file of the release" in said


def test_what_it_does_not_serve(program: Made) -> None:
    log = ALog(3)
    witness = witnessing(program(), log)
    assert asked(witness, "GET", "/add-checkpoint")[0] == 405
    assert asked(witness, "GET", "/../witness.key")[0] == 404
    assert asked(witness, "GET", "/state/witness")[0] == 404
    assert asked(witness, "POST", "/status", b"")[0] == 404
    assert asked(witness, "PUT", "/add-checkpoint", b"")[0] == 501
    assert asked(witness, "POST", "/add-checkpoint", b"x" * 65_537)[0] == 413
    assert asked(witness, "POST", "/add-checkpoint", b"x" * 65_536)[0] == 400
    status, body, headers = asked(witness, "GET", "/status")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert log.origin in body.decode()


def raw(program: Program, data: bytes) -> bytes:
    """What is answered to these bytes, to the end of the connection."""
    with socket.create_connection(("127.0.0.1", program.port), timeout=60) as connection:
        connection.sendall(data)
        found = b""
        with suppress(ConnectionError):
            while part := connection.recv(65536):
                found += part
    return found


def test_requests_that_are_none(program: Made) -> None:
    witness = witnessing(program(), ALog(3))
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"
    for lengths in (
        b"",
        b"Content-Length: -1\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Content-Length: x\r\n",
    ):
        assert b" 411 " in raw(witness, head + lengths + b"\r\nabc")
    assert b" 411 " in raw(witness, head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert b" 413 " in raw(witness, head + b"Content-Length: 99999999999999999999\r\n\r\n")
    assert b" 400 " in raw(witness, b"\x16\x03\x01\x02\x00\r\n\r\n")
    assert asked(witness, "GET", "/status")[0] == 200


def test_slow_clients_are_cut_off_and_keep_nobody_out(program: Made) -> None:
    """More of them than there are places, none of which ever finishes its request."""
    log = ALog(3)
    witness = witnessing(program(), log)
    slow = [socket.create_connection(("127.0.0.1", witness.port)) for _ in range(80)]
    for each in slow:
        each.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 1000\r\n\r\nold")
    assert asked(witness, "POST", "/add-checkpoint", log.request(0))[0] == 200
    slow[-1].settimeout(60)
    with suppress(ConnectionError):
        assert slow[-1].recv(1) == b""
    for each in slow:
        each.close()


def test_a_connection_is_kept(program: Made) -> None:
    log = ALog(5)
    witness = witnessing(program(), log)
    connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=60)
    for old, size in ((0, 2), (2, 3), (3, 5)):
        connection.request("POST", "/add-checkpoint", log.request(old, size))
        first = connection.sock
        answer = connection.getresponse()
        assert (answer.status, answer.read()[:3]) == (200, "—".encode())
        assert connection.sock is first
    connection.close()


def test_what_was_answered_is_on_the_disk(program: Made) -> None:
    """SIGKILL right after each answer."""
    log = ALog(12)
    witness = witnessing(program(), log)
    for size in range(1, 6):
        assert asked(witness, "POST", "/add-checkpoint", log.request(size - 1, size))[0] == 200
        assert witness.process is not None
        witness.process.send_signal(signal.SIGKILL)
        witness.kill()
        witness.start()
        status, body, _ = asked(witness, "POST", "/add-checkpoint", log.request(0, 12))
        assert (status, int(body)) == (409, size)
    assert b'"size": 5' in asked(witness, "GET", "/status")[1]
