"""The portal's client before a service that answers whatever it likes: it is an error with a code, and it ends."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tpm import client as module
from tpm.client import TpmClient, TpmError, TpmUnavailable

DIGEST = bytes(32)
CALLS: dict[str, Callable[[TpmClient], object]] = {
    "key_get": lambda client: client.key_get("a"),
    "key_list": lambda client: client.key_list(),
    "key_create": lambda client: client.key_create("a"),
    "sign": lambda client: client.sign("a", DIGEST),
    "sign_batch": lambda client: client.sign_batch("a", [DIGEST] * 2),
    "random": lambda client: client.random(3),
    "unseal": lambda client: client.unseal("a"),
    "activate": lambda client: client.activate(b"blob", b"secret"),
}
KEY = (
    b'{"name": "a", "type": "t", "usage": "u", "public_key_eosio": 1, "public_key_pem": "", "created_at": "2026-01-01"}'
)
ANSWERS = {
    "nothing in it": b"{}",
    "a list": b"[]",
    "text": b'"signature"',
    "numbers": b'{"keys": 3, "signature": 1, "results": 2, "random": 3, "data": 4, "credential": 5, "created_at": 6}',
    "null": b'{"keys": null, "signature": null, "results": null, "random": null, "data": null, "credential": null}',
    "no base64": b'{"random": "!!!!", "data": "YQ", "credential": "\xc3\xa9"}',
    "fewer than asked": b'{"results": [{"signature": "SIG_R1_a"}]}',
    "more than asked": b'{"results": [{"signature": "a"}, {"signature": "a"}, {"signature": "a"}]}',
    "items of numbers": b'{"results": [1, 2], "keys": [1]}',
    "errors of nothing": b'{"results": [{"error": {}}, {"error": null}], "keys": [{}]}',
    "an infinite status": b'{"results": [{"error": {"status": 1e999, "code": "x"}}, {}]}',
    "a key of numbers": KEY,
    "deep": b"[" * 100_000,
    "no JSON": b"<html>",
    "no UTF-8": b'{"random": "\xff"}',
}


class Hostile(ThreadingHTTPServer):
    """Sends `body` to every request, or has `send` do it."""

    daemon_threads = True
    body = b""
    status = 200
    send: Callable[[BaseHTTPRequestHandler], None] | None = None

    def handle_error(self, *_: object) -> None:
        """The client went away."""


class Handler(BaseHTTPRequestHandler):
    server: Hostile

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.server.status)
        if self.server.send is not None:
            self.server.send(self)
            return
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    server = Hostile(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(hostile: Hostile) -> Iterator[TpmClient]:
    made = TpmClient(f"http://127.0.0.1:{hostile.server_port}", lambda: "token")
    yield made
    made.close()


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_none_is_an_error(hostile: Hostile, client: TpmClient, answer: str, status: int) -> None:
    hostile.body, hostile.status = ANSWERS[answer], status
    for call in CALLS.values():
        with pytest.raises(TpmUnavailable):
            call(client)
    with suppress(TpmError):
        client.health()


def test_an_endless_answer_is_cut_off(hostile: Hostile, client: TpmClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 100_000)
    sent = 0

    def send(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while sent < 100_000_000:
            sent += handler.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    hostile.send = send
    with pytest.raises(TpmUnavailable) as caught:
        client.identity()
    assert caught.value.code == "answer"
    assert sent < 50_000_000


def test_a_dripping_answer_is_cut_off(hostile: Hostile, client: TpmClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE_ANSWER_S", 0.3)
    ended = threading.Event()

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not ended.wait(0.02):
            handler.wfile.write(b" ")

    hostile.send = send
    with pytest.raises(TpmUnavailable) as caught:
        client.manifest()
    ended.set()
    assert caught.value.code == "timeout"


def test_a_packed_answer_is_not_unpacked(hostile: Hostile, client: TpmClient) -> None:
    """Nobody asked for it: what comes packed is no answer."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    hostile.send = send
    with pytest.raises(TpmUnavailable, match="not packed"):
        client.health()


def test_a_redirection_is_not_followed(hostile: Hostile, client: TpmClient) -> None:
    """The token goes to the service that was named, and nowhere else."""
    asked: list[str] = []

    def send(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        handler.send_header("Location", "/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    hostile.send, hostile.status = send, 307
    with pytest.raises(TpmError):
        client.key_get("a")
    assert asked == ["/v1/keys/a"]
