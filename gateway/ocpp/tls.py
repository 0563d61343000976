"""TLS of the gateway, or of a proxy in front of it: its context, and which certificate a station showed.

Suites: those of OCPP with forward secrecy (ECDHE with AES-GCM), TLS 1.2 at least. OCPP's two suites with RSA key
exchange are not offered: Python leaves them out for good reasons, and every station has one of the others.

The handshake asks for a client certificate as soon as there is a station authority, and does not insist: stations of
profile 2 use the same port. One that is shown has to be of an authority of ours. Everything else, its time and
revocation too, is judged afterwards by what the database says (stations/certificates/connecting.py), where a refusal
has a name and a row.
"""

import base64
import ipaddress
import logging
import ssl
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from cryptography import x509
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

log = logging.getLogger(__name__)
SUITES = ":".join(
    f"ECDHE-{key}-{cipher}" for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384") for key in ("ECDSA", "RSA")
)
# X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for: a certificate that has run out is judged
# afterwards, so that an operator sees whose it is.
TIME_IS_JUDGED_LATER = 0x200000
HEADER_MAX = 16_384
ESCAPED_PEM = "-----BEGIN%20CERTIFICATE-----"


class _Handshake(ssl.SSLObject):
    """Notes a client certificate that no authority of ours signed: asyncio ends such a handshake without a word.

    Who it was is not known: no name was said yet, and OpenSSL hands out no certificate that it does not believe.
    """

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            noted = self.context
            if isinstance(noted, _Context):
                noted.disbelieved.append(error.verify_message)
            raise


class _Context(ssl.SSLContext):
    sslobject_class = _Handshake
    disbelieved: list[str]


class TlsError(Exception):
    """The gateway's certificate or key cannot be used; the message names the files."""


class Headers(Protocol):
    def get_all(self, key: str) -> list[str]:
        """The header's values, one for each line."""


class Request(Protocol):
    @property
    def headers(self) -> Headers:
        """Of the handshake."""


class Transport(Protocol):
    def get_extra_info(self, name: str, default: object = None) -> object:
        """As asyncio's transports have it."""


class Connection(Protocol):
    """What is asked of a connection of `websockets`, before or after its handshake."""

    @property
    def transport(self) -> Transport:
        """The connection's own: a socket, with or without TLS."""

    @property
    def request(self) -> Request | None:
        """The handshake's request, once it was read."""


class Tls:
    """The gateway's TLS, kept up to date while it runs; `context` stays the same object."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._read_at: tuple[int, ...] = ()
        self._roots: set[str] = set()
        self.context = _Context(ssl.PROTOCOL_TLS_SERVER)
        self.context.disbelieved = []
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_ciphers(SUITES)
        self.context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
        self.context.num_tickets = 0  # each connection shows its certificate again
        self.context.verify_mode = ssl.CERT_NONE
        self.context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VerifyFlags(TIME_IS_JUDGED_LATER)

    def refresh(self, roots: Sequence[str]) -> None:
        """Read files that changed, and believe these authorities (PEM) as well: for handshakes from now on.

        To be called at start and then from time to time. Raises TlsError at the start; later what was read last stays.
        """
        self._read_files()
        for pem in roots:
            if pem not in self._roots:
                self.context.load_verify_locations(cadata=pem)
                self._roots.add(pem)
        if self._roots:
            self.context.verify_mode = ssl.CERT_OPTIONAL

    def disbelieved_take(self) -> list[str]:
        """Why client certificates ended handshakes since this was last asked, one for each handshake."""
        found, self.context.disbelieved = self.context.disbelieved, []
        return found

    def _read_files(self) -> None:
        try:
            changed_at = tuple(path.stat().st_mtime_ns for path in self._files)
            if changed_at == self._read_at:
                return
            self.context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:  # SSLError is an OSError: named for whoever reads
            words = f"EVPORTAL_OCPP_TLS_CERT and _KEY: {' and '.join(map(str, self._files))}: {error}"
            if not self._read_at:
                raise TlsError(words) from error
            log.error("%s; what was read before stays", words)
            return
        self._read_at = changed_at


def tls_make() -> Tls | None:
    """The gateway's TLS of the settings, not refreshed yet; None where they name no certificate.

    Raises ImproperlyConfigured for proxies that are none, before anybody connects.
    """
    networks_of(tuple(settings.OCPP_TRUSTED_PROXIES))
    if not settings.OCPP_TLS_CERT:
        return None
    return Tls(Path(settings.OCPP_TLS_CERT), Path(settings.OCPP_TLS_KEY or settings.OCPP_TLS_CERT))


# --- one connection


def peer_is_tls(connection: Connection) -> bool:
    """Did it come over TLS, to us or to a trusted proxy?"""
    if _is_trusted_proxy(connection):
        return (_header(connection, "X-Forwarded-Proto") or "").strip().lower() in {"https", "wss"}
    return _ssl_object(connection) is not None


def peer_address(connection: Connection) -> str:
    """Where it came from: the connection's address, or whom a trusted proxy names last in X-Forwarded-For."""
    peer = connection.transport.get_extra_info("peername")
    address = str(peer[0]) if isinstance(peer, tuple) else ""
    if not _is_trusted_proxy(connection):
        return address
    lines = connection.request.headers.get_all("X-Forwarded-For") if connection.request else []
    named = ",".join(lines).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(named))
    except ValueError:
        return address


def peer_certificate(connection: Connection) -> x509.Certificate | None:
    """The client certificate of the TLS handshake, with us or with a trusted proxy; None where there was none.

    A proxy hands it on in `Client-Cert` (RFC 9440); nginx's `$ssl_client_escaped_cert` is understood there, too.
    """
    if _is_trusted_proxy(connection):
        header = _header(connection, "Client-Cert")
        return None if header is None else certificate_of_header(header)
    ssl_object = _ssl_object(connection)
    der = None if ssl_object is None else ssl_object.getpeercert(binary_form=True)
    return None if der is None else _loaded(der)


def certificate_of_header(value: str) -> x509.Certificate | None:
    """The certificate in a Client-Cert header; None for what is none."""
    value = value.strip()
    if len(value) > HEADER_MAX:
        return None
    if value.startswith(ESCAPED_PEM):
        try:
            return x509.load_pem_x509_certificate(unquote(value).encode())
        except ValueError:
            return None
    if len(value) < 2 or not value.startswith(":") or not value.endswith(":"):  # RFC 9651, 3.3.5: a byte sequence
        return None
    try:
        return _loaded(base64.b64decode(value[1:-1], validate=True))
    except ValueError:  # also of letters that are no ASCII
        return None


def _loaded(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _ssl_object(connection: Connection) -> ssl.SSLObject | None:
    found = connection.transport.get_extra_info("ssl_object")
    return found if isinstance(found, ssl.SSLObject) else None


def _header(connection: Connection, name: str) -> str | None:
    """Its value; None where it is missing or stands there twice."""
    values = connection.request.headers.get_all(name) if connection.request else []
    return values[0] if len(values) == 1 else None


def _is_trusted_proxy(connection: Connection) -> bool:
    peer = connection.transport.get_extra_info("peername")
    if not isinstance(peer, tuple) or not settings.OCPP_TRUSTED_PROXIES:
        return False
    return address_is_trusted(str(peer[0]), settings.OCPP_TRUSTED_PROXIES)


def address_is_trusted(address: str, proxies: Sequence[str]) -> bool:
    """Is this one of the addresses and networks?"""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in networks_of(tuple(proxies)))


@lru_cache(maxsize=4)
def networks_of(proxies: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Addresses and networks as they are set; raises ImproperlyConfigured for what is neither."""
    try:
        return [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]
    except ValueError as error:
        raise ImproperlyConfigured(f"EVPORTAL_OCPP_TRUSTED_PROXIES: {error}") from error
