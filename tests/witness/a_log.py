"""A small log to be witnessed: roots and proofs as RFC 6962 defines them, word by word, and software keys."""

import base64
import hashlib
import struct
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from witness.notes import ECDSA, ED25519, Signature, VerifierKey

ORIGIN = "log.example/charges"


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH, RFC 6962, 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = half_of(len(leaves))
    return hashlib.sha256(b"\1" + root_of(leaves[:half]) + root_of(leaves[half:])).digest()


def half_of(count: int) -> int:
    """The largest power of two below the count."""
    return 1 << (count - 1).bit_length() - 1


def consistency(old: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF, RFC 6962, 2.1.2."""
    return [] if old in (0, len(leaves)) else _subproof(old, leaves, whole=True)


def _subproof(old: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [root_of(leaves)]
    half = half_of(len(leaves))
    if old <= half:
        return [*_subproof(old, leaves[:half], whole=whole), root_of(leaves[half:])]
    return [*_subproof(old - half, leaves[half:], whole=False), root_of(leaves[:half])]


def entry(ledger_id: int, salt: str = "") -> bytes:
    """An entry: ledger id and a digest."""
    return struct.pack(">Q", ledger_id) + hashlib.sha256(f"{ledger_id}{salt}".encode()).digest()


class ALog:
    """Its leaves can be changed as nobody should; it signs what it is told to."""

    def __init__(self, count: int = 0, *, origin: str = ORIGIN, type: int = ECDSA) -> None:
        self.origin = origin
        self.leaves = [entry(number) for number in range(1, count + 1)]
        self._key = ec.generate_private_key(ec.SECP256R1()) if type == ECDSA else Ed25519PrivateKey.generate()
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if type == ECDSA else (Encoding.Raw, PublicFormat.Raw)
        self.vkey = VerifierKey.of(origin, type, self._key.public_key().public_bytes(*form))

    @property
    def type(self) -> int:
        return self.vkey.type

    def sign(self, text: str) -> bytes:
        """The log's signature over a note's text."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        return self._key.sign(text.encode())

    def note(self, size: int | None = None, *, root: bytes | None = None) -> bytes:
        """A signed checkpoint."""
        size = len(self.leaves) if size is None else size
        root = root_of(self.leaves[:size]) if root is None else root
        text = f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        line = Signature(self.vkey.name, self.vkey.key_id, self.sign(text)).line
        return f"{text}\n{line}".encode()

    def request(self, old: int, size: int | None = None) -> bytes:
        """The body of add-checkpoint, with the right proof."""
        size = len(self.leaves) if size is None else size
        return body(old, consistency(old, self.leaves[:size]) if old <= size else [], self.note(size))

    def bundle(self, number: int, width: int = 256) -> bytes:
        """Entries as they are served."""
        return b"".join(struct.pack(">H", len(leaf)) + leaf for leaf in self.leaves[number * 256 :][:width])


def body(old: object, proof: Sequence[bytes], note: bytes) -> bytes:
    lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in proof)
    return f"old {old}\n{lines}\n".encode() + note


__all__ = ["ECDSA", "ED25519", "ORIGIN", "ALog", "body", "consistency", "entry", "root_of"]
