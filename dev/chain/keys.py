"""Software keys of the development chain: EOSIO key pairs on secp256k1 (K1) and P-256 (R1), and their signatures.

Offline keys (producer, owner, active) are K1. An R1 key stands where the TPM's key stands, for tests of the chain
alone; no product code uses one.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from tpm.base58 import decode as base58_decode
from tpm.base58 import encode as base58_encode

Kind = Literal["K1", "R1"]

CURVES: dict[Kind, ec.EllipticCurve] = {"K1": ec.SECP256K1(), "R1": ec.SECP256R1()}
ORDERS: dict[Kind, int] = {
    "K1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    "R1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}
CHECKSUM_SIZE = 4
RECOVERABLE = 31  # a compact signature's first byte: 27, plus 4 for a compressed key, plus the recovery id


class Signer(Protocol):
    """Whatever signs a 32-byte digest and returns SIG_K1_… or SIG_R1_…."""

    def sign(self, digest: bytes) -> str: ...


@dataclass(frozen=True)
class KeyPair:
    """A private key (WIF for K1, PVT_R1_… for R1) and its public key (EOS… or PUB_R1_…); signs as a `Signer`."""

    private: str = field(repr=False)
    public: str

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        """Write the pair as JSON {"private", "public"} into a new file that only its owner may read."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(json.dumps({"private": self.private, "public": self.public}))

    @property
    def kind(self) -> Kind:
        return "R1" if self.private.startswith("PVT_R1_") else "K1"

    def sign(self, digest: bytes) -> str:
        """Sign a 32-byte digest, with the canonical form that nodeos demands (low s; for K1 also r below 2^255)."""
        if len(digest) != 32:
            raise ValueError(f"expected a digest of 32 bytes, got {len(digest)}")
        secret = _secret(self)
        r, s = _canonical_signature(self.kind, secret, digest)
        # R = kG with k = (e + rd) / s: who holds the private key d needs no point arithmetic for the recovery id
        nonce = (int.from_bytes(digest) + r * secret) * pow(s, -1, ORDERS[self.kind]) % ORDERS[self.kind]
        point = ec.derive_private_key(nonce, CURVES[self.kind]).public_key().public_numbers()
        recovery_id = (point.y & 1) | (2 if point.x >= ORDERS[self.kind] else 0)
        data = bytes([RECOVERABLE + recovery_id]) + r.to_bytes(32) + s.to_bytes(32)
        return f"SIG_{self.kind}_{_check_encode(data, self.kind)}"


def new_keypair(kind: Kind = "K1") -> KeyPair:
    """Make a new random key pair."""
    key = ec.generate_private_key(CURVES[kind])
    secret = key.private_numbers().private_value.to_bytes(32)
    point = key.public_key().public_numbers()
    compressed = bytes([2 | (point.y & 1)]) + point.x.to_bytes(32)
    if kind == "R1":
        return KeyPair(f"PVT_R1_{_check_encode(secret, kind)}", f"PUB_R1_{_check_encode(compressed, kind)}")
    return KeyPair(base58_encode(_with_sha256(b"\x80" + secret)), f"EOS{_check_encode(compressed, '')}")


def public_key_bytes(public: str) -> bytes:
    """Return the 34 packed bytes of EOS…, PUB_K1_… or PUB_R1_…: the type (0 K1, 1 R1) and the compressed point."""
    for prefix, suffix, number in (("EOS", "", 0), ("PUB_K1_", "K1", 0), ("PUB_R1_", "R1", 1)):
        if public.startswith(prefix):
            return bytes([number]) + _check_decode(public.removeprefix(prefix), suffix)
    raise ValueError(f"expected a key that begins with EOS, PUB_K1_ or PUB_R1_, got {public!r}")


def _secret(pair: KeyPair) -> int:
    if pair.kind == "R1":
        return int.from_bytes(_check_decode(pair.private.removeprefix("PVT_R1_"), "R1"))
    return int.from_bytes(base58_decode(pair.private)[1:-CHECKSUM_SIZE])


def _canonical_signature(kind: Kind, secret: int, digest: bytes) -> tuple[int, int]:
    key = ec.derive_private_key(secret, CURVES[kind])
    while True:  # about two turns for K1, one for R1: the nonce is random
        r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        s = min(s, ORDERS[kind] - s)
        if kind == "R1" or (r.bit_length() in range(248, 256) and s.bit_length() in range(248, 256)):
            return r, s


def _with_sha256(data: bytes) -> bytes:
    """With the checksum of WIF, as Bitcoin has it."""
    return data + hashlib.sha256(hashlib.sha256(data).digest()).digest()[:CHECKSUM_SIZE]


def _checksum(data: bytes, suffix: str) -> bytes:
    return hashlib.new("ripemd160", data + suffix.encode()).digest()[:CHECKSUM_SIZE]


def _check_encode(data: bytes, suffix: str) -> str:
    return base58_encode(data + _checksum(data, suffix))


def _check_decode(text: str, suffix: str) -> bytes:
    raw = base58_decode(text)
    data, checksum = raw[:-CHECKSUM_SIZE], raw[-CHECKSUM_SIZE:]
    if checksum != _checksum(data, suffix):
        raise ValueError(f"expected the checksum {_checksum(data, suffix).hex()}, got {checksum.hex()}")
    return data
