"""PURE: an AK's certification of a signing key: it was made in this TPM and cannot leave it (TPM2_Certify).

`evportal-key-certification/1`, the member `attestation` of a receipt, is a JSON object with `format` and, in base64:

`key`             TPMT_PUBLIC of the certified key
`attest`          TPMS_ATTEST that the AK signed (TPM 2.0 Library, Part 2, 10.12.12)
`signature`       the AK's signature over it: ECDSA with SHA-256, DER
`ak`              TPMT_PUBLIC of the AK
`ek_certificate`  X.509 certificate of the TPM's endorsement key in DER, null where it has none

It holds for ever, so there is no freshness in it: its nonce (extraData) ties the EK certificate to it instead. That EK
and AK live in one TPM is not shown by it; the portal saw that once (tpm/credential.py). So it is worth as much as the
AK, whose fingerprint, SHA-256 of its TPMT_PUBLIC, is published beside the key.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tpm.structures import (
    ALG_SHA256,
    AttestationError,
    Attributes,
    MalformedError,
    Public,
    UnsupportedError,
    attribute_words,
    parse_certify,
    parse_public,
)

FORMAT = "evportal-key-certification/1"
PARTS = ("key", "attest", "signature", "ak", "ek_certificate")
PART_LENGTH_MAX = 8000  # characters of base64
HIERARCHIES = (0x40000001, 0x4000000B)  # owner and endorsement (Part 2, 7.4): an AK is a primary key of one of them
_MADE_THERE = Attributes.FIXED_TPM | Attributes.FIXED_PARENT | Attributes.SENSITIVE_DATA_ORIGIN | Attributes.SIGN


class CertificationError(AttestationError):
    """It is well-formed, but does not certify what it should."""


@dataclass(frozen=True, slots=True)
class Certification:
    """The parts in binary; nothing is checked yet."""

    key: bytes
    attest: bytes
    signature: bytes
    ak: bytes
    ek_certificate: bytes | None

    @property
    def ak_fingerprint(self) -> str:
        """What the operator publishes of the AK (hex)."""
        return hashlib.sha256(self.ak).hexdigest()

    def to_json(self) -> dict[str, str | None]:
        """Return the JSON object of a receipt."""
        parts = {part: getattr(self, part) for part in PARTS}
        return {"format": FORMAT, **{part: _text(data) for part, data in parts.items()}}


def has_form(content: Any) -> bool:
    """Tell whether these are the members of a certification, each text of the right length (or null)."""
    if not isinstance(content, Mapping) or set(content) != {"format", *PARTS} or content["format"] != FORMAT:
        return False
    needed = [content[part] for part in PARTS if (part, content[part]) != ("ek_certificate", None)]
    return all(isinstance(text, str) and 0 < len(text) <= PART_LENGTH_MAX for text in needed)


def from_json(content: Mapping[str, Any]) -> Certification:
    """Read the JSON object of a receipt; raises MalformedError."""
    if not has_form(content):
        raise MalformedError(f"expected {FORMAT} with the texts {', '.join(PARTS)}")
    key, attest, signature, ak = (_bytes(part, content[part]) for part in PARTS[:4])
    certificate = content["ek_certificate"]
    return Certification(
        key, attest, signature, ak, None if certificate is None else _bytes("ek_certificate", certificate)
    )


def certification_nonce(ek_certificate: bytes | None) -> bytes:
    """Return the nonce with which a key of the TPM with this EK certificate is certified (32 bytes)."""
    return hashlib.sha256(FORMAT.encode() + (ek_certificate or b"")).digest()


def verify(certification: Certification, public_key: bytes) -> None:
    """Check that it certifies the key with this compressed P-256 point (33 bytes); raises AttestationError.

    1. the AK is a restricted signing key, made in its TPM and fixed to it
    2. its signature over `attest` holds
    3. `attest` is a certification that a TPM made, signed with this AK, with the nonce of this EK certificate
    4. it names the key, whose public area says that it is a signing key, made in that TPM and fixed to it
    5. that key is the expected one
    """
    ak = _public("ak", certification.ak)
    _need_attributes("ak", ak, _MADE_THERE | Attributes.RESTRICTED)
    if ak.has(Attributes.DECRYPT):
        raise CertificationError("ak: expected a key that does not decrypt")
    try:
        _point("ak", ak).verify(certification.signature, certification.attest, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise CertificationError("signature: expected the AK's over attest, it is not") from None
    stated = parse_certify(certification.attest)
    primary = [_name(handle.to_bytes(4, "big") + ak.name) for handle in HIERARCHIES]  # Part 1, 16: Qualified Name
    if stated.qualified_signer not in primary:
        raise CertificationError("attest: expected the AK as its signer, it names another one")
    if stated.extra_data != certification_nonce(certification.ek_certificate):
        raise CertificationError("attest: expected the nonce of this EK certificate, it has another one")
    key = _public("key", certification.key)
    if stated.name != key.name:
        raise CertificationError("attest: expected the Name of this key, it certifies another one")
    _need_attributes("key", key, _MADE_THERE)
    if _point("key", key).public_bytes(Encoding.X962, PublicFormat.CompressedPoint) != public_key:
        raise CertificationError("key: expected the one that signs, it is another one")


def _public(part: str, data: bytes) -> Public:
    try:
        public = parse_public(data)
    except AttestationError as error:
        raise type(error)(f"{part}: {error}") from error
    if public.name_algorithm != ALG_SHA256:
        raise UnsupportedError(f"{part}: expected the name algorithm SHA-256, got 0x{public.name_algorithm:04x}")
    return public


def _point(part: str, public: Public) -> ec.EllipticCurvePublicKey:
    if not isinstance(public.key, ec.EllipticCurvePublicKey):
        raise UnsupportedError(f"{part}: expected a P-256 key, got an RSA key")
    return public.key


def _need_attributes(part: str, public: Public, needed: int) -> None:
    if not public.has(needed):
        missing = attribute_words(needed & ~public.attributes)
        raise CertificationError(f"{part}: expected a key with the attributes {missing}, it lacks them")


def _name(data: bytes) -> bytes:
    return ALG_SHA256.to_bytes(2, "big") + hashlib.sha256(data).digest()


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(part: str, text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if base64.b64encode(data).decode() != text:  # other spellings of the same bytes are none of ours
        raise MalformedError(f"{part}: expected base64")
    return data
