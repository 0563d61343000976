"""PURE: what EK certificates and those of their CAs say, where makers write it otherwise than today's libraries read.

Names are compared by value (RFC 5280, 7.1): makers write one name as PrintableString here and as UTF8String there.
The key of an EK may be said to be for RSAES-OAEP alone (RFC 4055, 4.1; the EK Credential Profile allows it), which
makes it no other key.
"""

from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

RSAES_OAEP = "1.2.840.113549.1.1.7"
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")  # AlgorithmIdentifier of rsaEncryption
_VERSION, _KEY_INFO = 0xA0, 5  # in tbsCertificate, counted from 0 without the version (RFC 5280, 4.1)


def issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the one is named as the other's issuer and signed it."""
    try:
        if _by_value(certificate.issuer) != _by_value(issuer.subject):
            return False
        _verify(issuer.public_key(), certificate)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _by_value(name: x509.Name) -> list[frozenset[tuple[str, str]]]:
    """Without the kinds of strings, without case and with single blanks."""
    return [
        frozenset((part.oid.dotted_string, " ".join(str(part.value).split()).casefold()) for part in parts)
        for parts in name.rdns
    ]


def _verify(key: CertificatePublicKeyTypes, certificate: x509.Certificate) -> None:
    """Raise what cryptography raises unless the key made the certificate's signature."""
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    how, digest = certificate.signature_algorithm_parameters, certificate.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and isinstance(how, padding.PKCS1v15 | padding.PSS) and digest is not None:
        key.verify(signature, signed, how, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
        key.verify(signature, signed, how)
    else:
        raise ValueError("expected RSA or ECDSA, by a key of that kind")


def public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    """The certificate's key, also where it is for RSAES-OAEP alone; raises ValueError, UnsupportedAlgorithm."""
    if certificate.public_key_algorithm_oid.dotted_string != RSAES_OAEP:
        return certificate.public_key()
    (_, body, _), *_ = elements(certificate.tbs_certificate_bytes)
    fields = [content for tag, content, _ in elements(body) if tag != _VERSION]
    _, (_, _, bits) = elements(fields[_KEY_INFO])
    key = load_der_public_key(_sequence(_RSA + bits))
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("expected an RSA key")
    return key


def elements(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Of each DER element in a row: tag, content, and all of it; raises ValueError."""
    at = 0
    while at < len(data):
        head, size = 2, data[at + 1] if at + 1 < len(data) else -1
        if size & 0x80 and size != -1:
            head, size = 2 + (size & 0x7F), int.from_bytes(data[at + 2 : at + 2 + (size & 0x7F)])
        if size < 0 or at + head + size > len(data):
            raise ValueError("DER: an element is longer than what holds it")
        yield data[at], data[at + head : at + head + size], data[at : at + head + size]
        at += head + size


def _sequence(content: bytes) -> bytes:
    size = len(content)
    long = size.to_bytes((size.bit_length() + 7) // 8)
    return b"\x30" + (bytes([size]) if size < 0x80 else bytes([0x80 | len(long)]) + long) + content
