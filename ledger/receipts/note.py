"""PURE: a checkpoint of the log as a receipt carries it, and the keys that signed it (docs/receipts.md).

Stricter than C2SP's notes have to be, and than ledger/log/note.py is: three lines of text, names in ASCII, DER in its
one form, so that each byte of it is proven, and three verifiers read the same.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ledger.chain import antelope

NAME = "[!-*,-~]+"  # ASCII without blanks and "+"
BASE64 = "[A-Za-z0-9+/]+={0,2}"
LOG_TYPE, WITNESS_TYPE = 0x02, 0x04  # C2SP signed-note: ECDSA with SHA-256; cosignature/v1
SPKI_BYTES, SIZE_MAX = 91, 2**53 - 1


class LogError(ValueError):
    """A log part that proves nothing; the message says why."""


def unbase64(text: str) -> bytes:
    """Bytes of base64 in its one canonical spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise LogError("expected base64") from error
    if base64.b64encode(data).decode() != text:
        raise LogError("expected base64 in its canonical spelling")
    return data


@dataclass(frozen=True)
class VerifierKey:
    """A vkey: NAME+KEYID+BASE64, of a log (P-256) or of a witness (Ed25519)."""

    text: str
    name: str
    key_id: bytes
    public: bytes  # DER SubjectPublicKeyInfo of a log's, 32 bytes of a witness'

    @classmethod
    def parse(cls, text: str, kind: int) -> "VerifierKey":
        found = re.fullmatch(rf"({NAME})\+([0-9a-f]{{8}})\+({BASE64})", text)
        if found is None:
            raise LogError(f"expected a vkey, got {text[:60]!r}")
        name, key_id, data = found[1], bytes.fromhex(found[2]), unbase64(found[3])
        public = data[1:]
        if data[:1] != bytes([kind]) or len(public) != (SPKI_BYTES if kind == LOG_TYPE else 32):
            raise LogError(f"vkey of {name[:60]}: expected a key of type {kind}")
        of = public if kind == LOG_TYPE else name.encode() + b"\n" + data
        if hashlib.sha256(of).digest()[:4] != key_id:
            raise LogError(f"vkey of {name[:60]}: the key id is of another key")
        key = cls(text, name, key_id, public)
        if kind == LOG_TYPE:
            key._check_point()
        return key

    def _check_point(self) -> None:
        if self.point.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != self.public:
            raise LogError(f"vkey of {self.name[:60]}: expected an uncompressed point")

    @cached_property
    def point(self) -> ec.EllipticCurvePublicKey:
        """A log's key."""
        try:
            key = load_der_public_key(self.public)
        except ValueError as error:
            raise LogError(f"vkey of {self.name[:60]}: {error}") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise LogError(f"vkey of {self.name[:60]}: expected a key of P-256")
        return key

    @property
    def antelope(self) -> str:
        """A log's key as PUB_R1_…"""
        return antelope.public_key_encode(self.point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """ECDSA of a log's key, in the one form of DER."""
        try:
            if encode_dss_signature(*decode_dss_signature(signature)) != signature:
                return False
            self.point.verify(signature, data, ec.ECDSA(SHA256()))
        except (InvalidSignature, ValueError):  # the latter: no DER
            return False
        return True

    def has_signed_ed25519(self, data: bytes, signature: bytes) -> bool:
        """Of a witness' key."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, data)
        except (InvalidSignature, ValueError):  # the latter: no point
            return False
        return True

    def cosigned_at(self, text: str, blob: bytes) -> int | None:
        """When a witness signed this text (seconds since 1970); None where it did not."""
        if len(blob) != 72:
            return None
        at = int.from_bytes(blob[:8], "big")
        signed = f"cosignature/v1\ntime {at}\n{text}".encode()
        return at if at <= SIZE_MAX and self.has_signed_ed25519(signed, blob[8:]) else None


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    key_id: bytes
    blob: bytes


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """The note: its text of three lines, what that says, and its signature lines."""

    text: str
    origin: str
    size: int
    root: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, note: str) -> "SignedCheckpoint":
        found = re.fullmatch(
            rf"(({NAME})\n([1-9][0-9]{{0,15}})\n([A-Za-z0-9+/]{{43}}=)\n)\n((?:— {NAME} {BASE64}\n)+)", note
        )
        if found is None or int(found[3]) > SIZE_MAX:
            raise LogError("checkpoint: expected a signed note of three lines")
        lines = [line.split(" ") for line in found[5].splitlines()]
        signatures = [(name, unbase64(text)) for _, name, text in lines]
        if any(len(data) < 5 for _, data in signatures):
            raise LogError("checkpoint: a signature line without a signature")
        each = tuple(Signature(name, data[:4], data[4:]) for name, data in signatures)
        return cls(found[1], found[2], int(found[3]), unbase64(found[4]), each)
