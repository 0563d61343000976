"""A maker of TPMs of the tests' own: certificates of every kind, good and bad."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tpm.verifier.certificates import elements
from tpm.verifier.endorsement import EK_USAGE

START = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2040, 1, 1, tzinfo=UTC)
Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def key_usage(*, signs_certificates: bool = False, encrypts: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=encrypts,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass
class Authority:
    """A CA with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def authority(
    subject: str,
    issuer: Authority | None = None,
    *,
    ca: bool = True,
    path_length: int | None = None,
    usage: bool = True,
    end: datetime = END,
) -> Authority:
    """A root, or a CA below one; `usage` is whether it may sign certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(key.public_key(), subject, issuer.certificate.subject if issuer else name(subject), end=end)
    builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
    builder = builder.add_extension(key_usage(signs_certificates=usage, encrypts=not usage), critical=True)
    return Authority(key, builder.sign(issuer.key if issuer else key, SHA256()))


def ek_certificate(
    ek: Public,
    issuer: Authority,
    *,
    usages: Sequence[ObjectIdentifier] = (EK_USAGE,),
    encrypts: bool = True,
    ca: bool = False,
    start: datetime = START,
    end: datetime = END,
    critical: ObjectIdentifier | None = None,
) -> bytes:
    """The certificate for an EK, in DER; `critical` is a further extension that nobody knows."""
    builder = _builder(ek, "", issuer.certificate.subject, start=start, end=end)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    builder = builder.add_extension(key_usage(encrypts=encrypts, signs_certificates=not encrypts), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    alternative = x509.DirectoryName(name("id:00001014"))
    builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=True)
    if critical is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(critical, b"\x05\x00"), critical=True)
    return builder.sign(issuer.key, SHA256()).public_bytes(Encoding.DER)


def _builder(
    public: Public, subject: str, issuer: x509.Name, *, start: datetime = START, end: datetime = END
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(start, end - timedelta(days=1)))
        .not_valid_after(end)
    )


TLS_SERVER = ExtendedKeyUsageOID.SERVER_AUTH

# AlgorithmIdentifier of id-RSAES-OAEP (RFC 4055, 4.1): with the defaults, without parameters, with SHA-256 and MGF1
_OAEP = "06092a864886f70d010107"
_SHA_256 = "300d06096086480165030402010500"
OAEP = {
    "defaults": f"300d{_OAEP}3000",
    "no parameters": f"300b{_OAEP}",
    "SHA-256": f"303c{_OAEP}302fa00f{_SHA_256}a11c301a06092a864886f70d010108{_SHA_256}",
}


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    length = bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content


def for_oaep(certificate: bytes, issuer: Authority, algorithm: str) -> bytes:
    """The same certificate, its key said to be for RSAES-OAEP, as some makers of TPMs say it."""
    tbs = x509.load_der_x509_certificate(certificate).tbs_certificate_bytes
    fields = [whole for _, _, whole in elements(next(elements(tbs))[1])]
    (_, _, _), (_, _, bits) = elements(next(elements(fields[6]))[1])
    fields[6] = der(0x30, bytes.fromhex(algorithm), bits)
    signed = der(0x30, *fields)
    signature = issuer.key.sign(signed, ec.ECDSA(SHA256()))
    return der(0x30, signed, fields[2], der(0x03, b"\0", signature))
