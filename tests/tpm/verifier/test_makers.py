"""Chains of EK certificates as makers write them: one name in several kinds of strings, several kinds of signatures."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from tests.tpm.verifier.certificates import END, START, key_usage
from tpm.verifier.certificates import elements, issued
from tpm.verifier.endorsement import UntrustedError, chain_to_root

NOW = datetime(2026, 11, 30, tzinfo=UTC)
UTF8, PRINTABLE, T61 = _ASN1Type.UTF8String, _ASN1Type.PrintableString, _ASN1Type.T61String
Key = Any


def names(kind: _ASN1Type, common: str = "AMD TPM ECC CA", organisation: str = "AMD") -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, value, kind) for oid, value in parts])


def certificate(subject: x509.Name, key: Key, issuer: x509.Name, by: Key, *, ca: bool, **how: Any) -> x509.Certificate:
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), START, END)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    builder = builder.add_extension(key_usage(signs_certificates=ca, encrypts=not ca), critical=True)
    return builder.sign(by, how.pop("digest", SHA256()), **how)


def new_ec() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


ROOT, CA, EK = new_ec(), new_ec(), new_ec()


def chain(asked: x509.Name, named: x509.Name, *, by: Key = CA) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """An EK certificate that names its issuer so, and root and CA, which names itself so."""
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
    root = certificate(root_name, ROOT, root_name, ROOT, ca=True)
    middle = certificate(named, CA, root_name, ROOT, ca=True)
    return certificate(x509.Name([]), EK, asked, by, ca=False), [root, middle]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (names(UTF8), names(PRINTABLE)),
        (names(PRINTABLE), names(UTF8)),
        (names(T61), names(PRINTABLE)),
        (names(UTF8, "amd  TPM ecc CA "), names(PRINTABLE)),  # case and blanks do not count (RFC 5280, 7.1)
    ],
)
def test_a_name_is_the_same_in_another_kind_of_string(asked: x509.Name, named: x509.Name) -> None:
    ek, trusted = chain(asked, named)
    assert [found.serial_number for found in chain_to_root(ek, trusted, NOW)] == [
        ek.serial_number,
        trusted[1].serial_number,
        trusted[0].serial_number,
    ]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (names(UTF8, "AMD TPM RSA CA"), names(PRINTABLE)),
        (names(UTF8, organisation="Intel"), names(PRINTABLE)),
        (x509.Name(list(names(UTF8))[:1]), names(PRINTABLE)),
        (x509.Name(list(reversed(list(names(UTF8))))), names(PRINTABLE)),
        (x509.Name([]), names(PRINTABLE)),
    ],
)
def test_another_name_is_another(asked: x509.Name, named: x509.Name) -> None:
    ek, trusted = chain(asked, named)
    with pytest.raises(UntrustedError, match="no pinned certificate signed it"):
        chain_to_root(ek, trusted, NOW)


def test_a_name_alone_signs_nothing() -> None:
    ek, trusted = chain(names(UTF8), names(PRINTABLE), by=new_ec())
    with pytest.raises(UntrustedError, match="no pinned certificate signed it"):
        chain_to_root(ek, trusted, NOW)


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)


@pytest.mark.parametrize(
    ("by", "how"),
    [(RSA, {}), (RSA, {"rsa_padding": PSS}), (ec.generate_private_key(ec.SECP384R1()), {"digest": SHA384()})],
)
def test_each_kind_of_signature(by: Key, how: dict[str, Any]) -> None:
    made = certificate(names(UTF8), by, names(PRINTABLE), by, ca=True, **how)
    assert issued(made, made)
    other = certificate(names(UTF8), new_ec(), names(PRINTABLE), ROOT, ca=True)
    assert not issued(other, made) and not issued(made, other)


def test_a_kind_that_no_maker_uses_is_refused() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    made = certificate(names(UTF8), key, names(UTF8), key, ca=True, digest=None)
    assert not issued(made, made)


def test_elements_of_der() -> None:
    assert list(elements(b"\x02\x01\x05\x04\x81\x01a")) == [(2, b"\x05", b"\x02\x01\x05"), (4, b"a", b"\x04\x81\x01a")]
    for bad in (b"\x02", b"\x02\x02a", b"\x30\x82", b"\x30\x82\x00\x05a"):
        with pytest.raises(ValueError, match="longer"):
            list(elements(bad))


def test_dates_are_kept() -> None:
    ek, trusted = chain(names(UTF8), names(PRINTABLE))
    with pytest.raises(UntrustedError, match="valid from"):
        chain_to_root(ek, trusted, END + timedelta(days=1))
