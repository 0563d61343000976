"""Who may connect: identity, password, version and security profile of a station, judged at the handshake.

What is refused leaves a row that an operator sees (stations/park/refusals.py).
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from cryptography import x509

from gateway.ocpp.server.versions import SUBPROTOCOLS, best_of
from stations.certificates.connecting import CertificateNotTakenError, certificate_judge, certificate_used
from stations.identifiers import letters
from stations.models import Station, StationCertificate, StationRefusal
from stations.park.refusals import refusal_note
from stations.places.credentials import credential_holds

Reason = StationRefusal.Reason
IDENTITY_MAX = 48
HEADER_MAX = 512


@dataclass(frozen=True)
class Knock:
    """A handshake. `password`: the bytes of HTTP Basic, None without; `offered`: subprotocols, as they stood."""

    identity: str
    user: str
    password: bytes | None
    offered: tuple[str, ...]
    address: str
    is_tls: bool
    certificate: x509.Certificate | None = None


@dataclass(frozen=True)
class Admitted:
    """`certificate`: the row of the one that let it in (primary key), None where its password did."""

    station: Station
    subprotocol: str
    certificate: int | None = None

    @property
    def version(self) -> str:
        """As Call has it."""
        return SUBPROTOCOLS[self.subprotocol]


@dataclass(frozen=True)
class Refused:
    """`status`: of HTTP; 0: the handshake is completed and the connection closed (OCPP-J 1.6, 3.1.2)."""

    status: int
    reason: str
    words: str


def identity_of(path: str) -> str | None:
    """The last part of the address, decoded; None for what cannot be an identity."""
    text = unquote(path.partition("?")[0].rstrip("/").rpartition("/")[2], errors="strict")
    return text if 0 < len(text) <= IDENTITY_MAX and text.isprintable() else None


def basic_of(header: str | None) -> tuple[str, bytes] | None:
    """User and password of an Authorization header (RFC 7617); the password may be any bytes (1.6 whitepaper)."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic" or len(encoded) > HEADER_MAX:
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def judge_all(knocks: Sequence[Knock]) -> list[Admitted | Refused | BaseException]:
    """For a lane: one query for all of them."""
    wanted = {letters(knock.identity) for knock in knocks}
    found = {one.canonical: one for one in Station.objects.select_related("site").filter(canonical__in=wanted)}
    outcomes: list[Admitted | Refused | BaseException] = []
    for knock in knocks:
        station = found.get(letters(knock.identity))
        outcome = judge(knock, station)
        if isinstance(outcome, Refused):
            said = {"reason": outcome.reason, "words": outcome.words, "address": knock.address}
            refusal_note(identity=knock.identity, station=station, **said)
        outcomes.append(outcome)
    return outcomes


def judge(knock: Knock, station: Station | None) -> Admitted | Refused:
    """What is wrong is said to whoever has the password; a stranger learns only that it did not work."""
    if station is None:
        return Refused(404, Reason.UNKNOWN, "no station of this identity was entered in the admin")
    if not station.enabled:
        return Refused(403, Reason.DISABLED, "the station is switched off in the admin")
    needed = station.security_profile
    own, refused = _own_certificate(knock, station)
    if needed == Station.SecurityProfile.CERTIFICATE and refused:
        return Refused(403, Reason.CERTIFICATE if knock.is_tls else Reason.TLS, refused)
    if needed in (Station.SecurityProfile.BASIC, Station.SecurityProfile.TLS) and own is None:
        if not _knows(knock, station):
            words = "no password came" if knock.password is None else "the password is not this station's"
            return Refused(401, Reason.CREDENTIAL, words)
        if needed == Station.SecurityProfile.TLS and not knock.is_tls:
            return Refused(403, Reason.TLS, f"expected TLS, as of security profile {needed}; it came without")
    subprotocol = best_of(list(knock.offered))
    if subprotocol is None:
        came = ", ".join(knock.offered) or "none"
        return Refused(0, Reason.SUBPROTOCOL, f"expected one of {', '.join(SUBPROTOCOLS)}, got {came}"[:120])
    if own is not None:
        certificate_used(own)
    return Admitted(station, subprotocol, own.pk if own else None)


def _own_certificate(knock: Knock, station: Station) -> tuple[StationCertificate | None, str]:
    """The certificate with which it may come in by any profile, for none asks for more; or why there is none."""
    if not knock.is_tls:
        return None, f"expected TLS, as of security profile {station.security_profile}; it came without"
    try:
        return certificate_judge(station, knock.certificate), ""
    except CertificateNotTakenError as error:
        return None, str(error)


def _knows(knock: Knock, station: Station) -> bool:
    """The password of HTTP Basic, whose user is the station's identity (OCPP-J)."""
    if knock.password is None or letters(knock.user) != station.canonical:
        return False
    return credential_holds(station, knock.password)
