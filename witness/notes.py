"""PURE: signed notes, their keys, and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

Everything has one spelling here: base64 with its padding, decimals without leading zeros, UTF-8 without control
characters, lines that end. What is read and written again is the same bytes.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from witness.errors import FormError

ED25519, ECDSA, COSIGNATURE = 0x01, 0x02, 0x04  # signature types
NOTE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 16
SIZE_MAX = 2**63 - 1
HASH_BYTES = 32
_DASH = "\u2014"
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def decimal(text: str) -> int:
    """Read a size; raises FormError for any other spelling than its own."""
    if not _DECIMAL.fullmatch(text) or int(text) > SIZE_MAX:
        raise FormError("expected a decimal without leading zeros, below 2^63")
    return int(text)


def base64_bytes(text: str) -> bytes:
    """Read base64 in its one spelling; raises FormError."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise FormError("expected base64") from None
    if base64.b64encode(data).decode() != text:
        raise FormError("expected base64 in its one spelling")
    return data


def hash_bytes(text: str) -> bytes:
    """Read a hash in base64; raises FormError."""
    data = base64_bytes(text)
    if len(data) != HASH_BYTES:
        raise FormError(f"expected a hash of {HASH_BYTES} bytes, got {len(data)}")
    return data


def check_name(name: str) -> str:
    """Return the name of a key; raises FormError where it may not be one."""
    if not name or "+" in name or any(each.isspace() or ord(each) < 0x20 for each in name):
        raise FormError("name of a key: expected some characters, neither blanks nor plus")
    return name


@dataclass(frozen=True)
class VerifierKey:
    """Whose signature it is: `name+id+base64(type || public)`. `public` is raw Ed25519, or P-256 as DER SPKI."""

    name: str
    key_id: bytes
    type: int
    public: bytes

    @classmethod
    def of(cls, name: str, type: int, public: bytes) -> "VerifierKey":
        """The key with the id that it has to have; raises FormError for what is no key of these three types."""
        _load(type, public)
        if type == ECDSA:  # its id is that of the key alone
            key_id = hashlib.sha256(public).digest()[:4]
        else:
            key_id = hashlib.sha256(name.encode() + b"\n" + bytes([type]) + public).digest()[:4]
        return cls(check_name(name), key_id, type, public)

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a vkey; raises FormError."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        data = base64_bytes(encoded)
        if not data:
            raise FormError("vkey: expected name+id+base64")
        key = cls.of(name, data[0], data[1:])
        if key.key_id.hex() != key_id:
            raise FormError(f"vkey of {name}: expected the id {key.key_id.hex()}")
        return key

    @property
    def text(self) -> str:
        """As operators publish it."""
        encoded = base64.b64encode(bytes([self.type]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def check(self, signature: bytes, text: str) -> bool:
        """Tell whether the signature is this key's over the text of a note (a cosignature with its time in front)."""
        key, data = _load(self.type, self.public), text.encode()
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
            elif self.type == COSIGNATURE:
                if len(signature) != 72:
                    return False
                key.verify(signature[8:], cosigned(int.from_bytes(signature[:8], "big"), text))
            else:
                key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


def _load(type: int, public: bytes) -> ec.EllipticCurvePublicKey | Ed25519PublicKey:
    if type in (ED25519, COSIGNATURE):
        if len(public) != 32:
            raise FormError(f"Ed25519: expected a key of 32 bytes, got {len(public)}")
        return Ed25519PublicKey.from_public_bytes(public)
    if type != ECDSA:
        raise FormError(f"expected a key of type 0x01, 0x02 or 0x04, got 0x{type:02x}")
    try:
        key = load_der_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        raise FormError("ECDSA: expected a SubjectPublicKeyInfo in DER") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FormError("ECDSA: expected a key on P-256")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public:
        raise FormError("ECDSA: expected the key in its one spelling")
    return key


def cosigned(time: int, text: str) -> bytes:
    """What a cosignature of this POSIX time over this note's text signs."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


@dataclass(frozen=True)
class Signature:
    """One line below a note. `blob` is what stands behind the key's id."""

    name: str
    key_id: bytes
    blob: bytes

    @property
    def line(self) -> str:
        """With its newline."""
        return f"{_DASH} {self.name} {base64.b64encode(self.key_id + self.blob).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> "Signature":
        """Read a line without its newline; raises FormError."""
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != _DASH:
            raise FormError("signature line: expected dash, name, base64")
        data = base64_bytes(parts[2])
        if len(data) < 5:
            raise FormError("signature line: expected more than a key's id")
        return cls(check_name(parts[1]), data[:4], data[4:])


@dataclass(frozen=True)
class Note:
    """A text with its last newline, and 1 to 16 signatures."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Read a note; raises FormError."""
        if len(data) > NOTE_BYTES_MAX:
            raise FormError(f"note: expected at most {NOTE_BYTES_MAX} bytes")
        try:
            whole = data.decode()
        except UnicodeDecodeError:
            raise FormError("note: expected UTF-8") from None
        if any(ord(each) < 0x20 and each != "\n" for each in whole):
            raise FormError("note: expected no control characters")
        head, empty, tail = whole.rpartition("\n\n")
        if not empty or not tail.endswith("\n"):
            raise FormError("note: expected a text, an empty line, and signature lines")
        lines = tail[:-1].split("\n")
        if len(lines) > SIGNATURES_MAX:
            raise FormError(f"note: expected at most {SIGNATURES_MAX} signatures")
        return cls(head + "\n", tuple(Signature.parse(line) for line in lines))

    @property
    def whole(self) -> str:
        """As it was read."""
        return f"{self.text}\n{''.join(signature.line for signature in self.signatures)}"

    def signed_by(self, key: VerifierKey) -> Signature | None:
        """The key's valid signature; None where there is none, or where one under its name and id is not valid."""
        ours = [each for each in self.signatures if (each.name, each.key_id) == (key.name, key.key_id)]
        return ours[0] if ours and all(key.check(each.blob, self.text) for each in ours) else None


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself: `root` over its first `size` leaves. Extension lines are not looked at."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a note's text; raises FormError."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise FormError("checkpoint: expected origin, size and root, and no empty line")
        return cls(lines[0], decimal(lines[1]), hash_bytes(lines[2]))
