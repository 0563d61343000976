"""Nodes that only drip, and two names of one node: in portal and script, with real sockets and TLS."""

import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from common.outgoing.asking import authorities
from ledger.receipts import node_reader
from tests.ledger.receipts.receipt_chain import STEPS, Verification, Verifier, script, verifier
from tests.vectors.loading import Vector, vectors

__all__ = ["verifier"]  # fixture
GOOD = next(vector for vector in vectors() if vector.name == "good")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


def check(verifier: Verifier, nodes: tuple[str, ...], vector: Vector = GOOD) -> Verification:
    return verifier(vector.receipt.decode(), nodes, **vector.pins)


# --- a node that drips: a limit of each read alone would never end it


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], str]]:
    """Give the URL of a node that answers this at once, and then a byte now and then."""
    over, listeners = threading.Event(), []

    def drip(connection: socket.socket, begin: bytes) -> None:
        with connection:
            try:
                connection.sendall(begin)
                while not over.wait(0.05):
                    connection.sendall(b" ")
            except OSError:
                return

    def listen(listener: socket.socket, begin: bytes) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection, begin), daemon=True).start()

    def start(begin: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=listen, args=(listener, begin), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    over.set()
    for listener in listeners:
        listener.close()


def test_a_node_that_drips_is_given_up(
    verifier: Verifier, dripping: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script(), "NODE_S", 1)
    monkeypatch.setattr(node_reader, "NODE_S", 1)
    found = check(verifier, (dripping(HEAD), dripping(HEAD)))
    assert (found.verdict, found.undecided) == ("NOT DECIDED", tuple(range(2, STEPS)))
    assert "1 s" in found.text


def test_the_script_gives_up_a_node_that_drips_its_header(
    dripping: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script(), "NODE_S", 1)
    steps, notices = script().verify(GOOD.receipt, [dripping(b"HTTP/1.1 200 OK\r\nX: ")], GOOD.pins)
    assert [step[1] for step in steps] == ["ok", *["undecided"] * (STEPS - 2), "ok"]
    assert "no answer within 1 s" in json.dumps(steps) and notices["hosts"] == 0


# --- TLS


def certificate(path: Path, *addresses: str) -> Path:
    """A certificate for these addresses, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(text)) for text in addresses])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = builder.sign(key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def serve(address: str, pem: Path) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, content = GOOD.answer(GOOD.urls[0], self.path.rpartition("/")[2], body)
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """The tests' output is for the tests."""

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], tuple[str, ...]]]:
    """Serve a true node at these addresses with these certificates; return the URLs."""
    servers: list[ThreadingHTTPServer] = []

    def start(pems: dict[str, Path]) -> tuple[str, ...]:
        trusted = tmp_path / "trusted.pem"
        trusted.write_bytes(b"".join(pem.read_bytes() for pem in {*pems.values()}))
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        node_reader._asker.cache_clear()
        authorities.cache_clear()
        servers.extend(serve(address, pem) for address, pem in pems.items())
        return tuple(f"https://{server.server_address[0]!s}:{server.server_address[1]}" for server in servers)

    yield start
    node_reader._asker.cache_clear()
    authorities.cache_clear()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_two_addresses_with_one_certificate_are_one_node(
    verifier: Verifier, served: Callable[[Any], tuple[str, ...]], tmp_path: Path
) -> None:
    pem = certificate(tmp_path / "one.pem", "127.0.0.2", "127.0.0.3")
    found = check(verifier, served({"127.0.0.2": pem, "127.0.0.3": pem}))
    assert found.verdict == "NOT DECIDED" and "at least 2 nodes, got 1" in found.text, found.text


def test_two_with_certificates_of_their_own_are_two(
    verifier: Verifier, served: Callable[[Any], tuple[str, ...]], tmp_path: Path
) -> None:
    first, second = (certificate(tmp_path / f"{n}.pem", f"127.0.0.{n}") for n in (2, 3))
    found = check(verifier, served({"127.0.0.2": first, "127.0.0.3": second}))
    assert found.verdict == "VERIFIED", found.text
