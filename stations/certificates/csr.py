"""PURE: is this a certificate request (PKCS#10, RFC 2986) that a station authority signs?

1. it is one, in PEM, no longer than OCPP's messages carry
2. it is signed by the key that it names, over SHA-256 or better
3. the key is one that TLS takes and that has 112 bits of security: RSA from 2048 bits, or P-256, P-384, P-521
4. CN is what the station is called, and nothing else
5. O is the operator's name, where one is set
6. it asks for no more than a station's certificate is for
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stations.certificates.errors import RequestRefusedError
from stations.certificates.pki import NAME_MAX
from stations.identifiers import letters

PEM_MAX = 5500  # characters of SignCertificate's `csr`
RSA_BITS = range(2048, 8193)  # above, verifying takes long enough to be a weapon
RSA_EXPONENT_MIN = 65_537
# secp256k1 and the brainpool curves are strong enough, but serve no handshake of TLS 1.3.
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
HASHES = (SHA256, SHA384, SHA512)

Value = TypeVar("Value")


@dataclass(frozen=True)
class Expected:
    """What the station may be called in CN (its identity, its serial number), and the operator in O ("": anything)."""

    common_names: Sequence[str]
    organization: str = ""


def csr_judge(text: str, *, expected: Expected) -> x509.CertificateSigningRequest:
    """The request, judged in the steps above; raises RequestRefusedError, which says what was expected."""
    request = _parsed(text)
    _signature(request)
    _key(request)
    _names(request, expected)
    _extensions(request)
    return request


def _parsed(text: str) -> x509.CertificateSigningRequest:
    if len(text) > PEM_MAX:
        raise RequestRefusedError(f"expected at most {PEM_MAX} characters, got {len(text)}")
    try:
        return x509.load_pem_x509_csr(text.encode())
    except (ValueError, x509.InvalidVersion) as error:
        raise RequestRefusedError(f"expected a PKCS#10 certificate request in PEM: {error}") from error


def _read(what: str, read: Callable[[], Value]) -> Value:
    """What `read` returns; raises RequestRefusedError where that part is not in its form."""
    try:
        return read()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise RequestRefusedError(f"the {what} cannot be read: {error}") from error


def _signature(request: x509.CertificateSigningRequest) -> None:
    algorithm = _read("signature algorithm", lambda: request.signature_hash_algorithm)
    if not isinstance(algorithm, HASHES):
        got = algorithm.name if algorithm else "none"
        raise RequestRefusedError(f"expected a signature over SHA-256, SHA-384 or SHA-512, got {got}")
    if not _read("signature", lambda: request.is_signature_valid):
        raise RequestRefusedError("expected the signature of the key in the request, got another")


def _key(request: x509.CertificateSigningRequest) -> None:
    key = _read("public key", request.public_key)
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in RSA_BITS:
            expected = f"{RSA_BITS.start} to {RSA_BITS.stop - 1} bits"
            raise RequestRefusedError(f"expected an RSA key of {expected}, got {key.key_size}")
        if key.public_numbers().e < RSA_EXPONENT_MIN:
            exponent = key.public_numbers().e
            raise RequestRefusedError(f"expected an RSA exponent of at least {RSA_EXPONENT_MIN}, got {exponent}")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, CURVES):
            curves = ", ".join(curve.name for curve in CURVES)
            raise RequestRefusedError(f"expected a key on one of {curves}, got {key.curve.name}")
    else:
        raise RequestRefusedError(f"expected an RSA or ECDSA key, got {type(key).__name__}")


def _names(request: x509.CertificateSigningRequest, expected: Expected) -> None:
    subject = _read("subject", lambda: request.subject)
    names = " or ".join(expected.common_names)
    found = _value(subject, NameOID.COMMON_NAME, "CN", names)
    if letters(found) not in {letters(name) for name in expected.common_names if name}:
        raise RequestRefusedError(f"expected the CN {names}, got {found}")
    if not expected.organization:
        return
    found = _value(subject, NameOID.ORGANIZATION_NAME, "O", expected.organization)
    if found != expected.organization[:NAME_MAX]:
        raise RequestRefusedError(f"expected the organization (O) {expected.organization}, got {found}")


def _value(subject: x509.Name, oid: x509.ObjectIdentifier, name: str, expected: str) -> str:
    found = subject.get_attributes_for_oid(oid)
    if len(found) != 1:
        raise RequestRefusedError(f"expected one {name}, {expected}, in the subject, got {len(found)}")
    value = found[0].value
    if not isinstance(value, str) or not 0 < len(value) <= NAME_MAX or not value.isprintable():
        raise RequestRefusedError(f"expected a {name} of 1 to {NAME_MAX} printable characters, got {value!r:.80}")
    return value


def _extensions(request: x509.CertificateSigningRequest) -> None:
    asked = _read("extensions asked for", lambda: request.extensions)
    for extension in asked:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise RequestRefusedError("expected a request for a station's certificate, got one for an authority's (CA)")
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign):
            raise RequestRefusedError("expected the usage digitalSignature, got one of an authority (CA)")
        if isinstance(value, x509.ExtendedKeyUsage) and not {*value} & {
            ExtendedKeyUsageOID.CLIENT_AUTH,
            ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        }:
            raise RequestRefusedError("expected the extended usage clientAuth, got others only")
