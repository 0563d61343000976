"""Certifications as a TPM would make them, made with software keys: for what no TPM would ever state."""

import base64
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from dev.chain.keys import KeyPair
from ledger.chain.antelope import public_key_pack
from tpm.verifier.certification import FORMAT, certification_nonce

FIXED_TPM, FIXED_PARENT, DATA_ORIGIN, USER_WITH_AUTH, NO_DA = 0x2, 0x10, 0x20, 0x40, 0x400
RESTRICTED, DECRYPT, SIGN = 0x10000, 0x20000, 0x40000
KEY = FIXED_TPM | FIXED_PARENT | DATA_ORIGIN | USER_WITH_AUTH | NO_DA | SIGN
AK = KEY | RESTRICTED
OWNER, ENDORSEMENT, NULL_HIERARCHY = 0x40000001, 0x4000000B, 0x40000007
CERTIFY, QUOTE = 0x8017, 0x8018
ECDSA_SHA256 = struct.pack(">HH", 0x18, 0x0B)
NONE = struct.pack(">H", 0x10)


def sized(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def name(public: bytes) -> bytes:
    return b"\0\x0b" + hashlib.sha256(public).digest()


def point_of(pair: KeyPair) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key_pack(pair.public)[1:])


def ecc_public(
    key: ec.EllipticCurvePublicKey,
    attributes: int,
    *,
    policy: bytes = b"",
    symmetric: bytes = NONE,
    scheme: bytes = ECDSA_SHA256,
    curve: int = 3,
    kdf: bytes = NONE,
    name_algorithm: int = 0x0B,
) -> bytes:
    """TPMT_PUBLIC of an ECC key."""
    numbers = key.public_numbers()
    head = struct.pack(">HHI", 0x23, name_algorithm, attributes) + sized(policy)
    point = sized(numbers.x.to_bytes(32, "big")) + sized(numbers.y.to_bytes(32, "big"))
    return head + symmetric + scheme + struct.pack(">H", curve) + kdf + point


@dataclass(frozen=True)
class SoftTpm:
    """An AK in software, which states whatever it is told to."""

    ak: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    ak_attributes: int = AK
    ak_policy: bytes = b""
    ak_scheme: bytes = ECDSA_SHA256
    hierarchy: int = OWNER
    ek_certificate: bytes | None = b"\x30\x82\x00\x04some"

    @property
    def ak_public(self) -> bytes:
        key = self.ak.public_key()
        return ecc_public(key, self.ak_attributes, policy=self.ak_policy, scheme=self.ak_scheme)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.ak_public).hexdigest()

    def attest(self, certified: bytes, **changed: Any) -> bytes:
        """TPMS_ATTEST of TPM2_Certify over an object with this public area."""
        parts: dict[str, Any] = {
            "magic": 0xFF544347,
            "type": CERTIFY,
            "signer": name(self.hierarchy.to_bytes(4, "big") + name(self.ak_public)),
            "extra": certification_nonce(self.ek_certificate),
            "clock": struct.pack(">QIIB", 123_456, 3, 1, 1),
            "firmware": struct.pack(">Q", 0x20220101),
            "name": name(certified),
            "qualified_name": name(b"parent" + name(certified)),
            "tail": b"",
            **changed,
        }
        head = struct.pack(">IH", parts["magic"], parts["type"]) + sized(parts["signer"]) + sized(parts["extra"])
        body = parts["clock"] + parts["firmware"]
        names = sized(parts["name"]) + sized(parts["qualified_name"])
        return bytes(head + body + names + parts["tail"])

    def sign(self, message: bytes) -> bytes:
        return self.ak.sign(message, ec.ECDSA(SHA256()))

    def certification(
        self, pair: KeyPair, *, public: bytes | None = None, attest: Mapping[str, Any] | None = None
    ) -> dict[str, str | None]:
        """A receipt's `attestation` for this key; `attest` changes what is stated, before it is signed."""
        key = ecc_public(point_of(pair), KEY) if public is None else public
        statement = self.attest(key, **(attest or {}))
        parts = {"key": key, "attest": statement, "signature": self.sign(statement), "ak": self.ak_public}
        texts = {part: base64.b64encode(data).decode() for part, data in parts.items()}
        certificate = None if self.ek_certificate is None else base64.b64encode(self.ek_certificate).decode()
        return {"format": FORMAT, **texts, "ek_certificate": certificate}
