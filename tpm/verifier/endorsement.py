"""PURE: is this a real TPM, and is the attestation key (AK) made so that only the TPM can speak with it?

1. `ek_certificate`  the chain of the EK certificate ends in a pinned root (RFC 5280, 6.1)
2. `ek_use`          the certificate is an EK's (TCG EK Credential Profile 2.x, 3.2: EKU 2.23.133.8.1)
3. `ek_public`       it was issued for the EK that the service shows
4. `ek_attributes`   the EK is a restricted decryption key that was made in its TPM and stays there
5. `ak_attributes`   the AK is a restricted signing key that was made in its TPM and stays there
6. `ak_name`         the AK's Name is the hash of its public area

That both keys live in the same TPM is shown by tpm/verifier/credential.py afterwards.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from tpm.verifier.certificates import issued, public_key
from tpm.verifier.errors import AttestationError, MalformedError, UnsupportedError
from tpm.verifier.fields import from_base64
from tpm.verifier.steps import Check, Finding
from tpm.verifier.structures import Attributes, Public, attribute_words, parse_public

EK_USAGE = ObjectIdentifier("2.23.133.8.1")  # tcg-kp-EKCertificate
CHAIN_MAX = 6
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512, hashes.SHA3_256, hashes.SHA3_384, hashes.SHA3_512)
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
}
_IN_ITS_TPM = Attributes.FIXED_TPM | Attributes.FIXED_PARENT | Attributes.SENSITIVE_DATA_ORIGIN
_EK = _IN_ITS_TPM | Attributes.RESTRICTED | Attributes.DECRYPT
_AK = _IN_ITS_TPM | Attributes.RESTRICTED | Attributes.SIGN


class UntrustedError(AttestationError):
    """The certificate's chain does not end in a pinned root; the message says at which certificate and why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a TPM service says its TPM is (GET /v1/identity). The certificate is DER; None where the TPM has none."""

    ek_public: bytes
    ek_certificate: bytes | None
    ak_public: bytes
    ak_name: bytes
    words: str

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "Identity":
        """Read the service's answer; raises MalformedError."""
        ek, ak = (_member(answer, name) for name in ("ek", "ak"))
        certificate = ek.get("certificate")
        words = " ".join(str(answer.get(name, "")) for name in ("manufacturer", "vendor", "firmware"))
        return cls(
            ek_public=from_base64(ek.get("public"), "ek.public"),
            ek_certificate=None if certificate is None else from_base64(certificate, "ek.certificate"),
            ak_public=from_base64(ak.get("public"), "ak.public"),
            ak_name=from_base64(ak.get("name"), "ak.name"),
            words=" ".join(words.split())[:200],
        )


def _member(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = answer.get(name)
    if not isinstance(value, dict):
        raise MalformedError(f"{name}: expected an object, got {type(value).__name__}")
    return value


def identity_checks(identity: Identity, *, roots_pem: bytes, now: datetime) -> Iterator[Check]:
    """Yield the six steps of the docstring; each one looks at the identity for itself."""
    yield Check(
        "ek_certificate",
        "The chain of the EK certificate ends in a pinned root",
        "a chain to a pinned root",
        lambda: _chain(identity, roots_pem, now),
    )
    yield Check("ek_use", "The certificate is that of an EK", "an EK certificate", lambda: _use(identity))
    yield Check("ek_public", "The certificate was issued for this EK", "this EK", lambda: _same_key(identity))
    yield Check(
        "ek_attributes",
        "The EK was made in its TPM, stays there, and only decrypts what the TPM checks",
        attribute_words(_EK),
        lambda: _attributes(parse_public(identity.ek_public), _EK, Attributes.SIGN),
    )
    yield Check(
        "ak_attributes",
        "The AK was made in its TPM, stays there, and only signs what the TPM itself says",
        attribute_words(_AK),
        lambda: _ak_attributes(parse_public(identity.ak_public)),
    )
    yield Check("ak_name", "The AK's Name is that of its public area", "its Name", lambda: _name(identity))


def _chain(identity: Identity, roots_pem: bytes, now: datetime) -> Finding:
    chain = chain_to_root(certificate_of(identity), trusted_certificates(roots_pem), now)
    found = " <- ".join(certificate.issuer.rfc4514_string() for certificate in chain[:-1])
    return Finding("a chain to a pinned root", found, True)


def certificate_of(identity: Identity) -> x509.Certificate:
    """Return the EK certificate; raises MalformedError where there is none or it cannot be read."""
    if identity.ek_certificate is None:
        raise MalformedError("EK certificate: the TPM has none")
    try:
        return x509.load_der_x509_certificate(identity.ek_certificate)
    except (ValueError, x509.InvalidVersion) as error:
        raise MalformedError(f"EK certificate: not X.509 in DER: {error}") from error


def trusted_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the roots, and the CAs between, that a PEM file holds; raises MalformedError."""
    try:
        found = x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise MalformedError(f"EK roots: expected certificates in PEM: {error}") from error
    if not any(_self_signed(certificate) for certificate in found):
        raise MalformedError("EK roots: expected at least one root, that is a certificate signed by itself")
    return found


def chain_to_root(
    certificate: x509.Certificate, trusted: Sequence[x509.Certificate], now: datetime
) -> list[x509.Certificate]:
    """Return certificate, CAs and root, in this order; raises UntrustedError or MalformedError."""
    chain = [certificate]
    _check_dates(certificate, now)
    _check_critical(certificate)
    while not (len(chain) > 1 and _self_signed(chain[-1])):
        if len(chain) > CHAIN_MAX:
            raise UntrustedError(f"expected a chain of at most {CHAIN_MAX} certificates")
        last = chain[-1]
        if not isinstance(_hash_of(last), _STRONG):
            raise UntrustedError(f"{_words(last)}: expected a signature with SHA-256 or better")
        issuer = next((candidate for candidate in trusted if issued(candidate, last)), None)
        if issuer is None:
            raise UntrustedError(f"{_words(last)}: no pinned certificate signed it")
        _check_ca(issuer, below=len(chain) - 1)
        _check_dates(issuer, now)
        chain.append(issuer)
    return chain


def _words(certificate: x509.Certificate) -> str:
    try:
        subject = certificate.subject.rfc4514_string()
    except ValueError:  # it is read only now, and need not be a name
        subject = ""
    return f"certificate {subject or f'number {certificate.serial_number}'}"


def _self_signed(certificate: x509.Certificate) -> bool:
    return issued(certificate, certificate)


def _hash_of(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    try:
        return certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None


def _extensions(certificate: x509.Certificate) -> x509.Extensions:
    try:
        return certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise MalformedError(f"{_words(certificate)}: extensions: {error}") from error


def _check_critical(certificate: x509.Certificate) -> None:
    for extension in _extensions(certificate):
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise UnsupportedError(f"{_words(certificate)}: unknown critical extension {extension.oid.dotted_string}")


def _check_dates(certificate: x509.Certificate, now: datetime) -> None:
    try:
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except ValueError as error:
        raise MalformedError(f"{_words(certificate)}: validity: {error}") from error
    if not start <= now <= end:
        raise UntrustedError(f"{_words(certificate)}: valid from {start:%Y-%m-%d} to {end:%Y-%m-%d}, not now")


def _check_ca(certificate: x509.Certificate, *, below: int) -> None:
    """May it sign certificates, with `below` CAs between itself and the EK certificate?"""
    _check_critical(certificate)
    try:
        constraints = _extensions(certificate).get_extension_for_class(x509.BasicConstraints).value
        usage = _extensions(certificate).get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise UntrustedError(f"{_words(certificate)}: expected basicConstraints and keyUsage of a CA") from error
    if not constraints.ca or not usage.key_cert_sign:
        raise UntrustedError(f"{_words(certificate)}: not a CA")
    if constraints.path_length is not None and constraints.path_length < below:
        allowed = f"at most {constraints.path_length} CAs below it, got {below}"
        raise UntrustedError(f"{_words(certificate)}: path length: expected {allowed}")


def _use(identity: Identity) -> Finding:
    extensions = _extensions(certificate_of(identity))
    try:
        usages = {usage.dotted_string for usage in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value}
        key_usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise UntrustedError("expected extendedKeyUsage and keyUsage of an EK certificate") from error
    try:
        ca = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        ca = False
    encrypts = key_usage.key_encipherment or key_usage.key_agreement
    good = EK_USAGE.dotted_string in usages and encrypts and not ca
    found = f"{', '.join(sorted(usages))}{'' if encrypts else ', not for encryption'}{', a CA' if ca else ''}"
    return Finding(EK_USAGE.dotted_string, found, good)


def _same_key(identity: Identity) -> Finding:
    ek = parse_public(identity.ek_public)
    try:
        certified = public_key(certificate_of(identity))
        expected = certified.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError(f"EK certificate: its public key cannot be read: {error}") from error
    found = ek.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Finding(fingerprint(expected), fingerprint(found), expected == found)


def fingerprint(data: bytes) -> str:
    """Return the SHA-256 of the bytes in words."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return f"SHA-256 {digest.finalize().hex()}"


def _attributes(public: Public, needed: Attributes, forbidden: Attributes) -> Finding:
    good = public.has(needed) and not public.attributes & forbidden
    return Finding(f"{attribute_words(needed)}; not {attribute_words(forbidden)}", _found(public), good)


def _found(public: Public) -> str:
    return attribute_words(public.attributes)


def _ak_attributes(public: Public) -> Finding:
    if not isinstance(public.key, ec.EllipticCurvePublicKey):
        raise UnsupportedError("AK: expected an ECC P-256 key")
    return _attributes(public, _AK, Attributes.DECRYPT)


def _name(identity: Identity) -> Finding:
    expected = parse_public(identity.ak_public).name
    return Finding(expected.hex(), identity.ak_name.hex(), expected == identity.ak_name)
