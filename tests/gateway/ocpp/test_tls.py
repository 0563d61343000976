"""The gateway's TLS by real handshakes: OpenSSL's own client, and websockets with and without a certificate."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidHandshake

from gateway.ocpp import tls
from gateway.ocpp.tls import Tls, TlsError
from stations.certificates import pki
from stations.certificates.pki import Issuer
from tests.stations.certificates.asking import csr_pem, key_make, key_pem, openssl

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Authority:
    """One as the portal's, with a key in software."""

    key: ec.EllipticCurvePrivateKey
    root: x509.Certificate

    @classmethod
    def make(cls, name: str = "CA") -> "Authority":
        key = key_make()
        subject = pki.name_of(organization="Harbour Charging", common_name=name)
        return cls(key, pki.root_build(key=key, name=subject, now=NOW, days=10))

    @property
    def issuer(self) -> Issuer:
        return Issuer(self.root, self.key)

    def server(self, directory: Path) -> tuple[Path, Path]:
        """Files with a certificate for 127.0.0.1 and its key."""
        key = key_make()
        made = pki.server_certificate_build(
            public_key=key.public_key(),
            organization="Harbour Charging",
            hosts=["gateway.example", "127.0.0.1"],
            issuer=self.issuer,
            now=NOW,
            days=5,
        )
        (directory / "cert.pem").write_text(pki.pem(made))
        (directory / "key.pem").write_text(key_pem(key))
        return directory / "cert.pem", directory / "key.pem"

    def station(self, directory: Path, name: str = "CP-1", *, now: datetime = NOW, days: int = 5) -> x509.Certificate:
        """A station's certificate; with its key in the file `station.pem`."""
        key = key_make()
        request = x509.load_pem_x509_csr(csr_pem(key, name).encode())
        made = pki.station_certificate_build(request=request, issuer=self.issuer, now=now, days=days)
        (directory / "station.pem").write_text(pki.pem(made) + key_pem(key))
        return made


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make()


@pytest.fixture
def gateway_tls(authority: Authority, tmp_path: Path) -> Tls:
    made = Tls(*authority.server(tmp_path))
    made.refresh([pki.pem(authority.root)])
    return made


@asynccontextmanager
async def listening(made: Tls) -> AsyncIterator[tuple[int, list[Any]]]:
    """A server with this TLS; its port, and what it learnt of each connection's TLS."""
    seen: list[Any] = []

    async def judge(connection: ServerConnection, request: object) -> None:
        seen.append((tls.peer_is_tls(connection), tls.peer_certificate(connection)))

    async def handle(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, ssl=made.context, process_request=judge) as server:
        yield server.sockets[0].getsockname()[1], seen


def client_context(authority: Authority, certificate: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=pki.pem(authority.root))
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


async def _connect(port: int, context: ssl.SSLContext) -> None:
    async with connect(f"wss://127.0.0.1:{port}/CP-1", ssl=context) as client:
        await client.ping()


def test_without_a_certificate(authority: Authority, gateway_tls: Tls) -> None:
    """Profile 2 on the same port: the station checks ours against the root, and shows none."""

    async def run() -> list[Any]:
        async with listening(gateway_tls) as (port, seen):
            await _connect(port, client_context(authority))
            return seen

    assert asyncio.run(run()) == [(True, None)]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_with_its_own_certificate(
    authority: Authority, gateway_tls: Tls, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    mine = authority.station(tmp_path)

    async def run() -> list[Any]:
        async with listening(gateway_tls) as (port, seen):
            context = client_context(authority, tmp_path / "station.pem")
            context.minimum_version = context.maximum_version = version
            await _connect(port, context)
            await _connect(port, context)
            return seen

    assert asyncio.run(run()) == [(True, mine), (True, mine)]


def test_one_that_has_run_out_is_judged_afterwards(authority: Authority, gateway_tls: Tls, tmp_path: Path) -> None:
    """Not in the handshake, where nobody would see whose it was."""
    long_ago = authority.station(tmp_path, now=NOW - timedelta(hours=20), days=0)
    assert long_ago.not_valid_after_utc < NOW

    async def run() -> list[Any]:
        async with listening(gateway_tls) as (port, seen):
            await _connect(port, client_context(authority, tmp_path / "station.pem"))
            return seen

    assert asyncio.run(run()) == [(True, long_ago)]


def test_one_of_another_authority_ends_the_handshake(authority: Authority, gateway_tls: Tls, tmp_path: Path) -> None:
    """Also of one that calls itself as ours does."""
    Authority.make().station(tmp_path)

    async def run() -> list[Any]:
        async with listening(gateway_tls) as (port, seen):
            with pytest.raises((ssl.SSLError, ConnectionError, InvalidHandshake)):
                await _connect(port, client_context(authority, tmp_path / "station.pem"))
            await _connect(port, client_context(authority))
            return seen

    assert asyncio.run(run()) == [(True, None)]
    (why,) = gateway_tls.disbelieved_take()
    assert "signature" in why or "issuer" in why or "self" in why, why
    assert gateway_tls.disbelieved_take() == []


def test_nobody_is_asked_for_one_without_an_authority(authority: Authority, tmp_path: Path) -> None:
    """A station of profile 2 with a certificate from its maker is not disturbed."""
    made = Tls(*authority.server(tmp_path))
    made.refresh([])
    Authority.make("maker").station(tmp_path)

    async def run() -> list[Any]:
        async with listening(made) as (port, seen):
            await _connect(port, client_context(authority, tmp_path / "station.pem"))
            return seen

    assert asyncio.run(run()) == [(True, None)]


def test_openssl_says_which_versions_and_suites(gateway_tls: Tls) -> None:
    """TLS 1.2 with OCPP's ECDHE suite, and 1.3; nothing older, and no RSA key exchange."""

    async def run(*options: str) -> str:
        async with listening(gateway_tls) as (port, _):
            words = ("s_client", "-connect", f"127.0.0.1:{port}", "-brief", *options)
            done = await asyncio.to_thread(openssl, *words, text="")
            return done.stdout + done.stderr

    found = asyncio.run(run("-tls1_2"))
    assert "Protocol version: TLSv1.2" in found and "Ciphersuite: ECDHE-ECDSA-AES128-GCM-SHA256" in found
    assert "Protocol version: TLSv1.3" in asyncio.run(run())
    strong = asyncio.run(run("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"))
    assert "Ciphersuite: ECDHE-ECDSA-AES256-GCM-SHA384" in strong
    assert "Protocol version" not in asyncio.run(run("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"))
    assert "Protocol version" not in asyncio.run(run("-tls1_2", "-cipher", "AES128-GCM-SHA256"))


def test_it_is_kept_up_to_date_while_it_runs(authority: Authority, gateway_tls: Tls, tmp_path: Path) -> None:
    """A renewed certificate of the gateway, and the next authority, hold for whoever connects from then on."""
    following = Authority.make("next")
    (tmp_path / "next").mkdir()

    async def run() -> list[Any]:
        async with listening(gateway_tls) as (port, seen):
            await _connect(port, client_context(authority))
            cert, key = following.server(tmp_path / "next")
            for new, old in ((key, tmp_path / "key.pem"), (cert, tmp_path / "cert.pem")):
                new.replace(old)
            mine = following.station(tmp_path)
            gateway_tls.refresh([pki.pem(authority.root), pki.pem(following.root)])
            with pytest.raises(ssl.SSLError):
                await _connect(port, client_context(authority))
            await _connect(port, client_context(following, tmp_path / "station.pem"))
            return [*seen, mine]

    *seen, mine = asyncio.run(run())
    assert seen == [(True, None), (True, mine)]


def test_files_that_are_not_right(authority: Authority, tmp_path: Path) -> None:
    """At the start they end it, and are named; later what was read before stays."""
    cert, key = authority.server(tmp_path)
    with pytest.raises(TlsError, match=r"missing\.pem"):
        Tls(tmp_path / "missing.pem", key).refresh([])
    made = Tls(cert, key)
    made.refresh([])
    cert.write_text("nothing")
    made.refresh([])


# --- behind a proxy


@dataclass
class Lines:
    """A handshake's header lines."""

    lines: tuple[tuple[str, str], ...]

    @property
    def headers(self) -> "Lines":
        return self

    def get_all(self, key: str) -> list[str]:
        return [value for name, value in self.lines if name.lower() == key.lower()]


@dataclass
class Peer:
    """A connection from an address."""

    address: str
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def transport(self) -> "Peer":
        return self

    @property
    def request(self) -> Lines | None:
        return Lines(self.lines)

    def get_extra_info(self, name: str, default: object = None) -> object:
        return (self.address, 40000) if name == "peername" else default


def rfc9440(certificate: x509.Certificate) -> str:
    return ":" + base64.b64encode(certificate.public_bytes(Encoding.DER)).decode() + ":"


def test_a_proxy_that_is_trusted_hands_it_on(authority: Authority, tmp_path: Path, settings: Settings) -> None:
    """In the header of RFC 9440, or as nginx writes it; anybody else is not believed, and two headers say nothing."""
    settings.OCPP_TRUSTED_PROXIES = ["10.1.0.0/16", "::1"]
    mine = authority.station(tmp_path)
    header = ("Client-Cert", rfc9440(mine))
    https = ("X-Forwarded-Proto", "https")
    assert tls.peer_certificate(Peer("10.1.2.3", lines=(header, https))) == mine
    assert tls.peer_is_tls(Peer("10.1.2.3", lines=(header, https)))
    assert not tls.peer_is_tls(Peer("10.1.2.3", lines=(header,)))
    assert tls.peer_certificate(Peer("::1", lines=(("client-cert", quote(pki.pem(mine))),))) == mine
    assert tls.peer_certificate(Peer("10.2.2.3", lines=(header, https))) is None
    assert not tls.peer_is_tls(Peer("10.2.2.3", lines=(header, https)))
    assert tls.peer_certificate(Peer("10.1.2.3", lines=(header, header))) is None
    assert tls.peer_certificate(Peer("10.1.2.3")) is None
    assert tls.peer_certificate(Peer("::ffff:10.1.2.3", lines=(header,))) == mine


@given(st.one_of(st.text(), st.text().map(lambda text: f":{text}:"), st.binary().map(lambda b: f":{b.hex()}:")))
def test_a_header_that_is_no_certificate(value: str) -> None:
    assert tls.certificate_of_header(value) is None


def test_proxies_that_are_none(settings: Settings) -> None:
    settings.OCPP_TRUSTED_PROXIES, settings.OCPP_TLS_CERT = ["10.0.0.0/40"], ""
    with pytest.raises(ImproperlyConfigured, match="EVPORTAL_OCPP_TRUSTED_PROXIES"):
        tls.tls_make()
