"""PURE: certificates and revocation lists of a station authority, as X.509 (RFC 5280) and OCPP want them.

What OCPP says of certificates (2.0.1 part 2, A00.FR.501 to 512, and the 1.6 security whitepaper): X.509 in PEM, at
least 112 bits of security, SHA-256, a serial number; the owner's name in O; in a station's CN what identifies it, in a
server's its host name; key usage narrowed to what the certificate is for.

Serial numbers are numbers. As text they are hexadecimal, small letters, without leading zeros, as OCPP's
CertificateHashData has them; other tools write them in four other ways, so texts of theirs are not compared with these.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A station whose clock is behind would refuse what begins now.
BACKDATED = timedelta(days=1)
NAME_MAX = 64  # characters of CN and O (RFC 5280, appendix A: ub-common-name, ub-organization-name)

REASONS = {
    "KEY_COMPROMISE": x509.ReasonFlags.key_compromise,
    "CESSATION": x509.ReasonFlags.cessation_of_operation,
    "AFFILIATION": x509.ReasonFlags.affiliation_changed,
    "SUPERSEDED": x509.ReasonFlags.superseded,
    "UNSPECIFIED": x509.ReasonFlags.unspecified,
}


@dataclass(frozen=True)
class Issuer:
    """The authority's certificate, its key, and where its revocation list is fetched ("": nowhere)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    crl_url: str = ""


@dataclass(frozen=True)
class Revoked:
    """One line of a revocation list."""

    serial_number: int
    at: datetime
    reason: str


def serial_text(number: int) -> str:
    """A serial number as it is stored and as OCPP writes it."""
    return f"{number:x}"


def serial_number(text: str) -> int:
    """The number again, of whatever spelling: "0A:1b", "0a1b", "A1B". Raises ValueError."""
    return int(text.replace(":", "").replace(" ", ""), 16)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the certificate's DER, in hex."""
    return certificate.fingerprint(SHA256()).hex()


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def name_value(name: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    """The one value of this kind in a name; None where there is none, several, or no text."""
    found = name.get_attributes_for_oid(oid)
    value = found[0].value if len(found) == 1 else None
    return value if isinstance(value, str) else None


def crl_der(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(Encoding.DER)


def common_name(certificate: x509.Certificate) -> str | None:
    return name_value(certificate.subject, NameOID.COMMON_NAME)


def name_of(*, organization: str, common_name: str) -> x509.Name:
    """O and CN, cut to what X.509 allows; without an organization CN alone."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:NAME_MAX])] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name[:NAME_MAX])])


# --- building


def root_build(*, key: ec.EllipticCurvePrivateKey, name: x509.Name, now: datetime, days: int) -> x509.Certificate:
    """The authority's own certificate, signed by itself; what it signs cannot sign certificates."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(_issued_by(identifier), critical=False)
        .sign(key, SHA256())
    )


def station_certificate_build(
    *, request: x509.CertificateSigningRequest, issuer: Issuer, now: datetime, days: int
) -> x509.Certificate:
    """A station's certificate for a request that was judged before (csr.py); its names as the station wrote them.

    The alternative name, which some verifiers ask for, is the subject once more: an identity is no host name.
    """
    oids = (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
    subject = x509.Name([part for oid in oids for part in request.subject.get_attributes_for_oid(oid)])
    public_key = request.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)  # as it was judged
    alternative = x509.SubjectAlternativeName([x509.DirectoryName(subject)])
    builder = _leaf(subject=subject, public_key=public_key, issuer=issuer, now=now, days=days)
    return (
        builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(alternative, critical=False)
        .sign(issuer.key, SHA256())
    )


def server_certificate_build(
    *,
    public_key: ec.EllipticCurvePublicKey,
    organization: str,
    hosts: list[str],
    issuer: Issuer,
    now: datetime,
    days: int,
) -> x509.Certificate:
    """The gateway's certificate for these host names and addresses; the first one is its CN (A00.FR.509)."""
    subject = name_of(organization=organization, common_name=hosts[0])
    alternative = x509.SubjectAlternativeName([_host(host) for host in hosts])
    builder = _leaf(subject=subject, public_key=public_key, issuer=issuer, now=now, days=days)
    return (
        builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(alternative, critical=False)
        .sign(issuer.key, SHA256())
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _leaf(
    *,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    issuer: Issuer,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    """What certificates of stations and servers share. None begins before its authority, nor outlives it."""
    authority = issuer.certificate
    key_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)  # the very name, not its text written anew: some compare the bytes
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - BACKDATED, authority.not_valid_before_utc))
        .not_valid_after(min(now + timedelta(days=days), authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_issued_by(key_id), critical=False)
    )
    if not issuer.crl_url:
        return builder
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(issuer.crl_url)], None, None, None)
    return builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)


def _issued_by(identifier: x509.SubjectKeyIdentifier) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _usage(*, certificates: bool) -> x509.KeyUsage:
    """Signing certificates and revocation lists, or signing handshakes."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def crl_build(
    *, issuer: Issuer, revoked: Iterable[Revoked], number: int, now: datetime, valid_for: timedelta
) -> x509.CertificateRevocationList:
    """The authority's revocation list; `number` grows with each."""
    key_id = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now)
        .next_update(now + valid_for)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_issued_by(key_id), critical=False)
    )
    for entry in revoked:
        builder = builder.add_revoked_certificate(_crl_line(entry))
    return builder.sign(issuer.key, SHA256())


def _crl_line(entry: Revoked) -> x509.RevokedCertificate:
    line = x509.RevokedCertificateBuilder().serial_number(entry.serial_number).revocation_date(entry.at)
    reason = REASONS[entry.reason]
    if reason is not x509.ReasonFlags.unspecified:  # RFC 5280, 5.3.1: then the extension is left out
        line = line.add_extension(x509.CRLReason(reason), critical=False)
    return line.build()


# --- judging


def issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Did this authority's key sign it? Names are compared by value: their bytes may be written in several ways."""
    if certificate.issuer != authority.subject:
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True
