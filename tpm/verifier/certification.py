"""PURE: was this key made in the TPM of this AK, and can it never leave? (TPM2_Certify; TPM 2.0 Library, Part 3, 18.2)

1. `format`      a TPM made the statement, and it certifies an object
2. `signature`   the AK signed it
3. `binding`     it was made for this request
4. `name`        it is about this key: the Name is the hash of the key's public area
5. `attributes`  the key was made in the TPM, is fixed to it, and signs
6. `public_key`  it is the key of this EOSIO public key
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tpm import base58
from tpm.verifier.errors import AttestationError, UnsupportedError
from tpm.verifier.fields import from_base64, members
from tpm.verifier.signatures import check_signature
from tpm.verifier.steps import Check, Finding, NotDecidedError, Step, take
from tpm.verifier.structures import Attributes, Certify, Public, attribute_words, parse_certify, parse_public

FORMAT = "evportal-key-certification/1"
_NEEDED = Attributes.FIXED_TPM | Attributes.FIXED_PARENT | Attributes.SENSITIVE_DATA_ORIGIN | Attributes.SIGN


@dataclass(frozen=True, slots=True)
class Certification:
    """`public` is the key's TPMT_PUBLIC, `attest` a TPMS_ATTEST, `signature` the AK's, ECDSA in DER."""

    public: bytes
    attest: bytes
    signature: bytes

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "Certification":
        """Read the answer of `POST /v1/keys/{name}/certify`; raises MalformedError."""
        given = members(answer, "certification", {"public", "attest", "signature"})
        return cls(*(from_base64(given[name], name) for name in ("public", "attest", "signature")))


def certification_nonce(ek_certificate: bytes | None) -> bytes:
    """Return the extraData of a certification that a receipt can carry: it says which EK certificate the TPM showed.

    It is no secret and not fresh. That a key was made in a TPM and cannot leave it stays true.
    """
    return hashlib.sha256(FORMAT.encode() + (ek_certificate or b"")).digest()


def verify_certification(
    certification: Certification, *, ak_public: bytes, nonce: bytes, public_key_eosio: str, first: int = 1
) -> list[Step]:
    """Return the six steps; never raises. `ak_public` is the pinned AK's TPMT_PUBLIC."""
    return take(_checks(certification, ak_public, nonce, public_key_eosio), first=first)


def _checks(given: Certification, ak_public: bytes, nonce: bytes, public_key_eosio: str) -> Iterator[Check]:
    def signed() -> Finding:
        check_signature(ak_public, given.attest, given.signature)
        return Finding("a signature of the AK", "a signature of the AK", True)

    yield Check("format", "A TPM certifies an object", "TPMS_ATTEST of a certification", lambda: _format(given))
    yield Check("signature", "The pinned AK signed it", "a signature of the AK", signed)
    yield Check("binding", "It was made for this request", nonce.hex(), lambda: _binding(given, nonce))
    yield Check("name", "It is about this key", "the key's Name", lambda: _name(given))
    yield Check(
        "attributes",
        "The key was made in its TPM, cannot leave it, and signs",
        attribute_words(_NEEDED),
        lambda: _attributes(given),
    )
    yield Check("public_key", "It is this public key", public_key_eosio, lambda: _public_key(given, public_key_eosio))


def _format(given: Certification) -> Finding:
    parse_certify(given.attest)
    return Finding("TPMS_ATTEST of a certification", f"a certification of {len(given.attest)} bytes", True)


def _read(given: Certification) -> Certify:
    try:
        return parse_certify(given.attest)
    except AttestationError as error:
        raise NotDecidedError("the statement cannot be read") from error


def _binding(given: Certification, nonce: bytes) -> Finding:
    found = _read(given).extra_data
    return Finding(nonce.hex(), found.hex(), found == nonce)


def _name(given: Certification) -> Finding:
    expected, found = parse_public(given.public).name, _read(given).name
    return Finding(expected.hex(), found.hex(), expected == found)


def _attributes(given: Certification) -> Finding:
    public = parse_public(given.public)
    forbidden = Attributes.DECRYPT | Attributes.RESTRICTED
    good = public.has(_NEEDED) and not public.attributes & forbidden
    expected = f"{attribute_words(_NEEDED)}; not {attribute_words(forbidden)}"
    return Finding(expected, attribute_words(public.attributes), good)


def _public_key(given: Certification, public_key_eosio: str) -> Finding:
    found = eosio_public_key(parse_public(given.public))
    return Finding(public_key_eosio, found, found == public_key_eosio)


def eosio_public_key(public: Public) -> str:
    """Return `PUB_R1_…` of a P-256 key; raises UnsupportedError for another."""
    if not isinstance(public.key, ec.EllipticCurvePublicKey):
        raise UnsupportedError("expected an ECC P-256 key")
    point = public.key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    checksum = hashlib.new("ripemd160", point + b"R1").digest()[:4]
    return f"PUB_R1_{base58.encode(point + checksum)}"
