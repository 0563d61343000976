"""PURE: signed notes, the checkpoints in them, and who signed (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

A note is a text, an empty line, and lines of signatures: em dash, the key's name, base64 of the key's id (4 bytes) and
the signature. Three types of keys are read: 0x02, ECDSA with SHA-256 by a P-256 key (a TPM's, as ours is), 0x01,
Ed25519, and 0x04, a witness' Ed25519, which says when it signed. Each text has one spelling: any other is refused.
"""

import base64
import binascii
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

ED25519, ECDSA, COSIGNATURE = 0x01, 0x02, 0x04
NOTE_BYTES_MAX, SIGNATURES_MAX, NAME_MAX = 65_536, 16, 200
NUMBER_MAX = 2**53 - 1  # of leaves, or seconds: what JSON and a browser keep exactly
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_NAME = re.compile(r"[!-*,-~]+", re.ASCII)
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})", re.ASCII | re.S)


class NoteError(ValueError):
    """A note, a checkpoint or a key of another form; the message says what was expected."""


def check_name(name: str) -> str:
    """A key's name: ASCII letters without space and plus, as it is shown and compared; raises NoteError."""
    if not _NAME.fullmatch(name) or len(name) > NAME_MAX:
        raise NoteError(f"name: expected 1 to {NAME_MAX} of ASCII without space and '+', got {name[:NAME_MAX]!r}")
    return name


def base64_bytes(text: str, what: str) -> bytes:
    """Read base64 in its one spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{what}: expected base64: {error}") from error
    if base64.b64encode(data).decode() != text:
        raise NoteError(f"{what}: expected base64 in its shortest spelling")
    return data


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Who signs. `public`: for type 0x02 DER of SubjectPublicKeyInfo (P-256), else 32 bytes."""

    name: str
    type: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """4 bytes; those of type 0x02 are of the key alone (signed-note, "Signature types")."""
        if self.type == ECDSA:
            return sha256(self.public).digest()[:4]
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The vkey: name, key id in hex, base64 of type and key."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.type]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a vkey; raises NoteError."""
        found = _VKEY.fullmatch(text)
        if found is None:
            raise NoteError(f"key: expected NAME+ID+BASE64, got {text[:100]!r}")
        data = base64_bytes(found[3], "key")
        key = cls(check_name(found[1]), data[0], data[1:])
        key._loaded()
        if key.key_id.hex() != found[2]:
            raise NoteError(f"key: expected the id {key.key_id.hex()}, got {found[2]}")
        return key

    def _loaded(self) -> ec.EllipticCurvePublicKey | Ed25519PublicKey:
        if self.type in (ED25519, COSIGNATURE):
            if len(self.public) != 32:
                raise NoteError(f"key: expected 32 bytes of Ed25519, got {len(self.public)}")
            return Ed25519PublicKey.from_public_bytes(self.public)
        if self.type != ECDSA:
            raise NoteError(f"key: expected type 1, 2 or 4, got {self.type}")
        try:
            key = load_der_public_key(self.public)
        except ValueError as error:
            raise NoteError(f"key: expected DER of SubjectPublicKeyInfo: {error}") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise NoteError("key: expected P-256")
        return key

    def signed(self, data: bytes, signature: bytes) -> bool:
        """Whether this key made the signature of these bytes."""
        key = self._loaded()
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, data)
            else:
                key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One line; `blob` is what follows the key's id."""

    name: str
    key_id: bytes
    blob: bytes

    @property
    def line(self) -> str:
        return f"— {self.name} {base64.b64encode(self.key_id + self.blob).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Read a line without its end; raises NoteError."""
        dash, _, rest = line.partition(" ")
        name, space, text = rest.partition(" ")
        if dash != "—" or not space:
            raise NoteError(f"signature: expected '— NAME BASE64', got {line[:100]!r}")
        data = base64_bytes(text, "signature")
        if len(data) < 5:
            raise NoteError("signature: expected a key's id and a signature")
        return cls(check_name(name), data[:4], data[4:])

    def is_by(self, key: VerifierKey) -> bool:
        """Whether it says that it is this key's."""
        return (self.name, self.key_id) == (key.name, key.key_id)


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends with a line's end, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return f"{self.text}\n{''.join(one.line for one in self.signatures)}".encode()

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Read a note; raises NoteError."""
        if len(data) > NOTE_BYTES_MAX:
            raise NoteError(f"note: expected at most {NOTE_BYTES_MAX} bytes, got {len(data)}")
        try:
            whole = data.decode()
        except UnicodeDecodeError as error:
            raise NoteError("note: expected UTF-8") from error
        if any(letter < " " and letter != "\n" for letter in whole):
            raise NoteError("note: expected no control characters but the ends of lines")
        text, empty, lines = whole.rpartition("\n\n")
        if not empty or not text or not lines.endswith("\n"):
            raise NoteError("note: expected a text, an empty line and lines of signatures")
        signatures = [Signature.parse(line) for line in lines[:-1].split("\n")]
        if len(signatures) > SIGNATURES_MAX:
            raise NoteError(f"note: expected at most {SIGNATURES_MAX} signatures, got {len(signatures)}")
        return cls(f"{text}\n", tuple(signatures))

    def with_signatures(self, more: Sequence[Signature]) -> "Note":
        """The same text with these behind its own."""
        return Note(self.text, (*self.signatures, *more))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its name, how many leaves it has, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a note's text; raises NoteError, also for extension lines, which ours has none of."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise NoteError("checkpoint: expected three lines: origin, size, root")
        origin, size, root = check_name(lines[0]), lines[1], base64_bytes(lines[2], "root")
        if not _DECIMAL.fullmatch(size) or int(size) > NUMBER_MAX:
            raise NoteError(f"size: expected a decimal number, got {size[:40]!r}")
        if len(root) != 32:
            raise NoteError(f"root: expected 32 bytes, got {len(root)}")
        return cls(origin, int(size), root)


def verify(note: Note, key: VerifierKey) -> bool:
    """Whether this key signed the note: each line that says so is right, and there is one."""
    if key.type == COSIGNATURE:
        return cosigned_at(note, key) is not None
    lines = [one for one in note.signatures if one.is_by(key)]
    return bool(lines) and all(key.signed(note.text.encode(), one.blob) for one in lines)


def cosigned(text: str, at: int) -> bytes:
    """What a witness signs: when, in seconds of 1970 UTC, and the note's text."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def cosigned_at(note: Note, key: VerifierKey) -> int | None:
    """When this witness signed the note (seconds of 1970 UTC), None where it did not; the newest of several lines."""
    if key.type != COSIGNATURE:
        raise NoteError(f"key: expected a witness' (type 4), got type {key.type}")
    times = [_cosigned_at(note, one, key) for one in note.signatures if one.is_by(key)]
    known = [at for at in times if at is not None]
    return max(known) if known and len(known) == len(times) else None


def _cosigned_at(note: Note, line: Signature, key: VerifierKey) -> int | None:
    if len(line.blob) != 8 + 64:
        return None
    (at,) = struct.unpack(">Q", line.blob[:8])
    return at if at and at <= NUMBER_MAX and key.signed(cosigned(note.text, at), line.blob[8:]) else None
