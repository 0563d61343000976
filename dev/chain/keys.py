"""Software keys of the development chain: EOSIO key pairs on secp256k1 (K1) and P-256 (R1), and their signatures.

Offline keys (producer, owner, active) are K1. An R1 key stands where the TPM's key stands, for tests of the chain
alone; no product code uses one.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from ledger.chain.antelope import public_key_encode, ripemd160, sha256, signature_encode
from tpm.base58 import decode as base58_decode
from tpm.base58 import encode as base58_encode

Kind = Literal["K1", "R1"]

CURVES: dict[Kind, ec.EllipticCurve] = {"K1": ec.SECP256K1(), "R1": ec.SECP256R1()}
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

    @classmethod
    def ensure(cls, path: Path) -> Self:
        """Read the pair that is there, or make one; in production those that are kept are offline."""
        if not path.exists():
            building = path.with_suffix(".new")
            building.unlink(missing_ok=True)
            new_keypair().save(building)
            building.rename(path)
        return cls.load(path)

    @property
    def kind(self) -> Kind:
        return "R1" if self.private.startswith("PVT_R1_") else "K1"

    def sign(self, digest: bytes) -> str:
        """Sign a 32-byte digest, with the canonical form that nodeos demands (low s; for K1 also r below 2^255)."""
        if len(digest) != 32:
            raise ValueError(f"expected a digest of 32 bytes, got {len(digest)}")
        secret, curve = _secret(self), CURVES[self.kind]
        r, s = _canonical_signature(self.kind, secret, digest)
        # R = kG with k = (e + rd) / s: who holds the private key d needs no point arithmetic for the recovery id
        nonce = (int.from_bytes(digest) + r * secret) * pow(s, -1, curve.group_order) % curve.group_order
        point = ec.derive_private_key(nonce, curve).public_key().public_numbers()
        recovery_id = (point.y & 1) | (2 if point.x >= curve.group_order else 0)
        return signature_encode(bytes([RECOVERABLE + recovery_id]) + r.to_bytes(32) + s.to_bytes(32), self.kind)


def new_keypair(kind: Kind = "K1") -> KeyPair:
    """Make a new random key pair."""
    key = ec.generate_private_key(CURVES[kind])
    secret = key.private_numbers().private_value.to_bytes(32)
    point = key.public_key().public_numbers()
    compressed = bytes([2 | (point.y & 1)]) + point.x.to_bytes(32)
    if kind == "R1":
        return KeyPair(f"PVT_R1_{_check_encode(secret, kind)}", public_key_encode(compressed))
    wif = b"\x80" + secret
    return KeyPair(base58_encode(wif + sha256(sha256(wif))[:4]), f"EOS{_check_encode(compressed, '')}")


def _secret(pair: KeyPair) -> int:
    data = base58_decode(pair.private.removeprefix("PVT_R1_"))
    return int.from_bytes(data[:32] if pair.kind == "R1" else data[1:33])


def _canonical_signature(kind: Kind, secret: int, digest: bytes) -> tuple[int, int]:
    key = ec.derive_private_key(secret, CURVES[kind])
    while True:  # about two turns for K1, one for R1: the nonce is random
        r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        s = min(s, CURVES[kind].group_order - s)
        if kind == "R1" or (r.bit_length() in range(248, 256) and s.bit_length() in range(248, 256)):
            return r, s


def _check_encode(data: bytes, suffix: str) -> str:
    return base58_encode(data + ripemd160(data + suffix.encode())[:4])
