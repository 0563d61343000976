"""A log of a few leaves, its witnesses, and the chain's part, for vectors of `evportal-receipt/3`."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dev.chain.keys import CURVES, KeyPair
from ledger.chain import antelope
from ledger.chain import block as blocks
from ledger.chain.antelope import sha256
from tests.vectors.chain import LEDGER_ID, TPM, Json, Key, SameTpm, World
from tests.vectors.making import WORLD

ORIGIN = "log.operator.example/evportal"
SAVANNA = 1 << 31
SIGNED_AT = 1_772_352_100


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def root(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if len(hashes) == 1:
        return hashes[0]
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\1" + root(hashes[:middle]) + root(hashes[middle:]))


def inclusion(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(hashes) == 1:
        return []
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    if index < middle:
        return [*inclusion(index, hashes[:middle]), root(hashes[middle:])]
    return [*inclusion(index - middle, hashes[middle:]), root(hashes[:middle])]


# --- keys


@dataclass(frozen=True)
class LogKey:
    """A P-256 key that signs checkpoints."""

    secret: int = 0xF00D
    name: str = ORIGIN

    @property
    def _private(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.secret, ec.SECP256R1())

    @property
    def spki(self) -> bytes:
        return self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> bytes:
        return sha256(self.spki)[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64(bytes([2]) + self.spki)}"

    def line(self, text: str) -> str:
        signature = self._private.sign(text.encode(), ec.ECDSA(SHA256(), deterministic_signing=True))
        return f"— {self.name} {b64(self.key_id + signature)}\n"

    def attestation(self, tpm: SameTpm = TPM) -> Json:
        return dict(tpm.certification(KeyPair("", Key(self.secret).public)))


@dataclass(frozen=True)
class WitnessKey:
    """An Ed25519 key that cosigns them."""

    name: str
    seed: int

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def _typed(self) -> bytes:
        return bytes([4]) + self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self._typed)[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64(self._typed)}"

    def line(self, text: str, at: int = SIGNED_AT) -> str:
        signature = self._private.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        return f"— {self.name} {b64(self.key_id + at.to_bytes(8) + signature)}\n"

    def ak_certificate(self, tpm_proof: Mapping[str, Any], **changed: Any) -> Json:
        content: Json = {
            "format": "evportal-ak-certificate/1",
            "ak": hashlib.sha256(base64.b64decode(tpm_proof["ak"])).hexdigest(),
            "ek_certificate": hashlib.sha256(base64.b64decode(tpm_proof["ek_certificate"] or "")).hexdigest(),
            "root": sha256(b"the maker's root").hex(),
            "time": SIGNED_AT - 86_400,
            **changed,
        }
        fields = (content[name] for name in ("ak", "ek_certificate", "root", "time"))
        lines = "".join(f"{line}\n" for line in (content["format"], self.name, *fields))
        return {**content, "signature": b64(self._private.sign(lines.encode()))}


LOG_KEY, OTHER_LOG_KEY = LogKey(), LogKey(0xFADED)
CLUB, AUDITOR, FLEET = (
    WitnessKey("drivers.example/witness", 1),
    WitnessKey("auditor.example", 2),
    WitnessKey("fleet.example/w", 3),
)


def producer_sign(digest: bytes, secret: int = 0x9E09) -> str:
    """SIG_K1_… of the producer, the same each time."""
    order = CURVES["K1"].group_order
    private = ec.derive_private_key(secret, ec.SECP256K1())
    r, s = decode_dss_signature(private.sign(digest, ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True)))
    s = min(s, order - s)
    nonce = (int.from_bytes(digest) + r * secret) * pow(s, -1, order) % order
    point = ec.derive_private_key(nonce, ec.SECP256K1()).public_key().public_numbers()
    return antelope.signature_encode(bytes([31 + (point.y & 1)]) + r.to_bytes(32) + s.to_bytes(32), "K1")


def producer_public(secret: int = 0x9E09) -> str:
    point = ec.derive_private_key(secret, ec.SECP256K1()).public_key()
    return antelope.public_key_encode(point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint), "K1")


# --- the parts


def path_of(leaves: Sequence[bytes], index: int, savanna: bool) -> list[str]:
    """The siblings of one leaf, with the side on which each stands."""
    if savanna:
        if len(leaves) == 1:
            return []
        middle = 1 << (len(leaves) - 1).bit_length() - 1
        if index < middle:
            rest = blocks.merkle_root_savanna(leaves[middle:])
            return [*path_of(leaves[:middle], index, True), "R" + rest.hex()]
        return [
            *path_of(leaves[middle:], index - middle, True),
            "L" + blocks.merkle_root_savanna(leaves[:middle]).hex(),
        ]
    level, found = list(leaves), []
    while len(level) > 1:
        level += level[-1:] * (len(level) % 2)
        one = level[index ^ 1]
        marked = bytes([one[0] | 0x80]) if index % 2 == 0 else bytes([one[0] & 0x7F])
        found.append(("R" if index % 2 == 0 else "L") + (marked + one[1:]).hex())
        level = [blocks.merkle_root(level[at : at + 2]) for at in range(0, len(level), 2)]
        index //= 2
    return found


@dataclass(frozen=True)
class LogWorld:
    """What is true: the world of a record, its log, and who signed what."""

    world: World = WORLD
    size: int = 5
    index: int = 3
    log_key: LogKey = LOG_KEY
    witnesses: Sequence[WitnessKey] = (CLUB, AUDITOR)
    ak_certificates: Mapping[str, Json] = field(default_factory=dict)
    key_attestation: Json | None = None
    attestation: Json | None = None
    other_face: bool = False  # other leaves beside ours
    producer: bool = True

    def but(self, **changed: Any) -> "LogWorld":
        return replace(self, **changed)

    @property
    def hashes(self) -> list[bytes]:
        ours = LEDGER_ID.to_bytes(8) + self.world.digest
        rest = [number.to_bytes(8) + sha256(bytes([number, self.other_face])) for number in range(self.size)]
        return [sha256(b"\0" + (ours if number == self.index else leaf)) for number, leaf in enumerate(rest)]

    @property
    def text(self) -> str:
        return f"{self.log_key.name}\n{self.size}\n{b64(root(self.hashes))}\n"

    def log(self) -> Json:
        lines = [self.log_key.line(self.text), *(witness.line(self.text) for witness in self.witnesses)]
        return {
            "index": self.index,
            "proof": [one.hex() for one in inclusion(self.index, self.hashes)],
            "checkpoint": f"{self.text}\n{''.join(lines)}",
            "key": self.log_key.vkey,
            "key_attestation": self.key_attestation,
            "witnesses": [
                {"name": one.name, "key": one.vkey, "ak_certificate": self.ak_certificates.get(one.name)}
                for one in self.witnesses
            ],
        }

    def chain(self) -> Json:
        block = self.world.block
        transactions = blocks.transactions(block)
        place = [one.id for one in transactions].index(sha256(self.world.packed))
        mine, savanna = transactions[place], block["schedule_version"] == SAVANNA
        header, others = blocks.header_pack(block), {}
        digest = blocks.block_id(block)
        if not savanna:
            others = {"blockroot_merkle": sha256(b"all before").hex(), "schedule_hash": sha256(b"schedule").hex()}
            merkle, schedule = (bytes.fromhex(text) for text in others.values())
            digest = sha256(sha256(sha256(header) + merkle) + schedule)
        return {
            "packed": b64(mine.packed),
            "signatures": list(mine.signatures),
            "compression": mine.compression,
            "stored": None if mine.compression == "none" else b64(mine.stored),
            "context_free_data": mine.context_free_data.hex(),
            "status": mine.status,
            "cpu_usage_us": mine.cpu_usage_us,
            "net_usage_words": mine.net_usage_words,
            "path": path_of([one.receipt_digest for one in transactions], place, savanna),
            "header": header.hex(),
            "producer_signature": producer_sign(digest) if self.producer else None,
            "producer_key": producer_public() if self.producer else None,
            "signed_with": (others or None) if self.producer else None,
        }

    def receipt(self, **changed: Any) -> Json:
        """Of /3."""
        content = self.world.receipt(credited_by=None, attestation=self.attestation)
        return {**content, "format": "evportal-receipt/3", "log": self.log(), "chain": self.chain(), **changed}

    def notice(self) -> Json:
        """What is said of this log beside the steps."""
        names = [witness.name for witness in self.witnesses]
        said = {"size": self.size, "origin": self.log_key.name, "witnesses": names}
        return {**said, "time": SIGNED_AT if names else None}
