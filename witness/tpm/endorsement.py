"""PURE: whether an EK's certificate is for this EK, and leads to a root that is trusted (TCG EK Credential Profile)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from witness.errors import FormError, shown
from witness.tpm.public import Public

EK_USAGE = "2.23.133.8.1"
CHAIN_MAX = 6
_KEYS_OF_RSA = (bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d010107"))  # also RSAES-OAEP
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
}


def check_ek(ek: Public, certificate: bytes, trusted_pem: bytes, now: datetime) -> x509.Certificate:
    """Return the root that the EK's certificate (DER) leads to; raises FormError, saying what is wrong.

    `trusted_pem`: roots, and the CAs between, of makers that the witness trusts. `now` has a time zone.
    """
    try:
        found = x509.load_der_x509_certificate(certificate)
        trusted = [x509.load_pem_x509_certificate(each) for each in _pem_parts(trusted_pem)]
        _check_use(found)
        if _rsa_key_of(found) != _pkcs1(ek):
            raise FormError("EK certificate: it is for another key than the EK that the TPM shows")
        return _root_of(found, trusted, now)
    except (ValueError, LookupError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension) as error:
        raise FormError(f"EK certificate, or the roots: {error}") from error


def _pem_parts(data: bytes) -> list[bytes]:
    end = b"-----END CERTIFICATE-----"
    parts = [part[part.find(b"-----BEGIN") :] + end for part in data.split(end)[:-1]]
    if not parts:
        raise FormError("roots: expected certificates in PEM")
    return parts


def _root_of(certificate: x509.Certificate, trusted: Sequence[x509.Certificate], now: datetime) -> x509.Certificate:
    chain = [certificate]
    while True:
        last = chain[-1]
        _check_dates(last, now)
        _check_critical(last)
        if len(chain) > 1:
            _check_ca(last, below=len(chain) - 2)
            if _issued(last, last):
                return last
        issuer = next((each for each in trusted if _issued(each, last)), None)
        if issuer is None or len(chain) > CHAIN_MAX:
            raise FormError(f"no trusted certificate signed {shown(last.subject.rfc4514_string())}")
        chain.append(issuer)


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if _values(issuer.subject) != _values(certificate.issuer):
        return False
    digest = certificate.signature_hash_algorithm
    if not isinstance(digest, _STRONG):
        return False
    key, signature, signed = issuer.public_key(), certificate.signature, certificate.tbs_certificate_bytes
    try:
        if isinstance(key, rsa.RSAPublicKey):
            how: Any = getattr(certificate, "signature_algorithm_parameters", padding.PKCS1v15())  # since version 41
            key.verify(signature, signed, how, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(digest))
        else:
            return False
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _values(name: x509.Name) -> list[tuple[str, str]]:
    """By value: one name is a PrintableString here and a UTF8String there (RFC 5280, 7.1)."""
    return [(each.oid.dotted_string, " ".join(str(each.value).split()).casefold()) for each in name]


def _check_dates(certificate: x509.Certificate, now: datetime) -> None:
    if hasattr(certificate, "not_valid_before_utc"):  # since version 42
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    else:
        start, end = (each.replace(tzinfo=UTC) for each in (certificate.not_valid_before, certificate.not_valid_after))
    if not start <= now <= end:
        raise FormError(f"{shown(certificate.subject.rfc4514_string())}: valid from {start} to {end}, not now")


def _check_critical(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise FormError(f"a critical extension that nobody here understands: {extension.oid.dotted_string}")


def _check_ca(certificate: x509.Certificate, *, below: int) -> None:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise FormError("a CA without basicConstraints or keyUsage") from error
    too_long = constraints.path_length is not None and constraints.path_length < below
    if not constraints.ca or not usage.key_cert_sign or too_long:
        raise FormError(f"{shown(certificate.subject.rfc4514_string())}: may not sign this certificate")


def _check_use(certificate: x509.Certificate) -> None:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise FormError("EK certificate: it does not say what it is for") from error
    constraints = [each.value for each in certificate.extensions if each.oid == ExtensionOID.BASIC_CONSTRAINTS]
    if EK_USAGE not in {usage.dotted_string for usage in usages} or any(each.ca for each in constraints):
        raise FormError("EK certificate: it is for something else")


def _pkcs1(ek: Public) -> bytes:
    assert ek.rsa is not None
    return ek.rsa.public_bytes(Encoding.DER, PublicFormat.PKCS1)


def _rsa_key_of(certificate: x509.Certificate) -> bytes:
    """The certificate's RSA key (PKCS #1), also where it is said to be for RSAES-OAEP alone, which libraries refuse."""
    ((_, body),) = _elements(certificate.tbs_certificate_bytes)
    fields = [content for tag, content in _elements(body) if tag != 0xA0]
    (_, algorithm), (_, bits) = _elements(fields[5])
    if not algorithm.startswith(_KEYS_OF_RSA) or bits[:1] != b"\0":
        raise FormError("EK certificate: expected an RSA key")
    return bits[1:]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each DER element in a row; raises ValueError."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("DER: it ends too early")
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        if at + size > len(data):
            raise ValueError("DER: it ends too early")
        yield tag, data[at : at + size]
        at += size
