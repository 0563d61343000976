"""What the keys sign, each type in its formats, and how it is verified.

ecc-p256   digest, format der, jws or eosio      ECDSA (tpm/service/encoding.py has the formats)
rsa-2048   digest, format pkcs1v15 or pss        RSASSA with SHA-256 (RFC 8017, 8.1 and 8.2; salt 32 bytes), base64
hmac       data of at most 1,024 bytes           HMAC-SHA256 (RFC 2104), base64
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from tpm.service.device.device import Device
from tpm.service.encoding import (
    DIGEST_BYTES,
    MalformedSignatureError,
    Point,
    Signature,
    base64_text,
    from_base64,
    point_of,
    signature_der,
    signature_eosio,
    signature_jws,
    signature_valid,
)
from tpm.service.errors import InvalidEncodingError, KeyUsageError
from tpm.service.keys.store import Key

FORMATS = {"ecc-p256": ("der", "jws", "eosio"), "rsa-2048": ("pkcs1v15", "pss"), "hmac": ()}  # by type
RSA_BYTES = 256
PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "pkcs1v15": padding.PKCS1v15(),
    "pss": padding.PSS(padding.MGF1(SHA256()), DIGEST_BYTES),
}


@dataclass(frozen=True)
class Digest:
    """A SHA-256 digest (32 bytes) to sign, and the format of its signature."""

    digest: bytes
    format: str

    @property
    def sha256(self) -> str:
        """The digest in hex, as it is logged."""
        return self.digest.hex()


@dataclass(frozen=True)
class Message:
    """Data to authenticate with an hmac key."""

    data: bytes

    @property
    def sha256(self) -> str:
        """The data's digest in hex, which is logged in its place."""
        return hashlib.sha256(self.data).hexdigest()


def check_use(key: Key, item: Digest | Message) -> None:
    """Raise KeyUsageError unless the key signs such an item."""
    key.require("sign")
    if isinstance(item, Message) and key.type != "hmac":
        raise KeyUsageError(f"expected {{digest, format}} for a key of type {key.type}, got {{data}}")
    if isinstance(item, Digest) and item.format not in FORMATS[key.type]:
        expected = " or ".join(FORMATS[key.type]) or "{data}"
        raise KeyUsageError(f"expected {expected} for a key of type {key.type}, got format {item.format!r}")


def sign(device: Device, key: Key, items: Sequence[Digest | Message]) -> list[str]:
    """Sign the items; the texts come in the same order. Raises KeyUsageError, and what the device raises."""
    for item in items:
        check_use(key, item)
    if key.type == "hmac":
        return [base64_text(mac) for mac in device.hmac(key.blob, [cast(Message, item).data for item in items])]
    digests = [cast(Digest, item) for item in items]
    if key.type == "rsa-2048":
        return [base64_text(s) for s in device.sign_rsa(key.blob, [(item.digest, item.format) for item in digests])]
    public = point_of(cast(EllipticCurvePublicKey, key.public))
    signatures = device.sign(key.blob, [item.digest for item in digests])
    return [_text(item, signature, public) for item, signature in zip(digests, signatures, strict=True)]


def _text(item: Digest, signature: Signature, public: Point) -> str:
    if item.format == "eosio":
        return signature_eosio(item.digest, signature, public)
    return signature_der(signature) if item.format == "der" else signature_jws(signature)


def verify(device: Device, key: Key, item: Digest | Message, signature: str) -> bool:
    """Tell whether the key made this signature; only hmac asks the TPM.

    Raises KeyUsageError, and InvalidEncodingError for what is no signature of the format.
    """
    check_use(key, item)
    try:
        if isinstance(item, Message):
            expected = from_base64(signature, DIGEST_BYTES)
            return hmac.compare_digest(device.hmac(key.blob, [item.data])[0], expected)
        if key.type == "rsa-2048":
            return _rsa_valid(cast(RSAPublicKey, key.public), item, from_base64(signature, RSA_BYTES))
        return signature_valid(item.format, signature, item.digest, point_of(cast(EllipticCurvePublicKey, key.public)))
    except MalformedSignatureError as error:
        raise InvalidEncodingError(f"signature: {error}") from None


def _rsa_valid(public: RSAPublicKey, item: Digest, signature: bytes) -> bool:
    try:
        public.verify(signature, item.digest, PADDINGS[item.format], Prehashed(SHA256()))
    except InvalidSignature:
        return False
    return True
