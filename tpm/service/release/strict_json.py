"""JSON that is read strictly: a document of the release is what its format says, or it is refused.

ReleaseError
├── ReleaseMissingError      a file of the release is not there
├── ReleaseUnreadableError   it cannot be read or written
├── ManifestError            it is not in its format: `field`, `expected`, `got`
└── ReleaseSignatureError    it was not signed by this release key
"""

import base64
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

SHOWN_CHARACTERS = 200
HEX = re.compile(r"(?:[0-9a-f]{2})*")


class ReleaseError(Exception):
    """The root: the release cannot be used, and the message says which file and why."""


class ReleaseMissingError(ReleaseError):
    """A file of the release is not there."""


class ReleaseUnreadableError(ReleaseError):
    """A file of the release cannot be read or written."""


class ReleaseSignatureError(ReleaseError):
    """The signature over the manifest or over an approval is not one of the release key."""


class ManifestError(ReleaseError):
    """A document is not in its format."""

    def __init__(self, field: str, expected: str, got: object) -> None:
        self.field = field
        self.expected = expected
        self.got = shown(got)
        super().__init__(f"{field}: expected {expected}, got {self.got}")

    def inside(self, place: str) -> "ManifestError":
        """Return the same error with its field named as part of `place`."""
        inner = ManifestError(f"{place}.{self.field}" if self.field else place, self.expected, "")
        inner.got = self.got
        inner.args = (f"{inner.field}: expected {self.expected}, got {self.got}",)
        return inner


def shown(value: object) -> str:
    """Return a value as one short line of ASCII; what was refused may hold anything."""
    text = value if isinstance(value, str) and value.isascii() and value.isprintable() and value else ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def document(name: str, text: bytes, max_bytes: int) -> Any:
    """Return what this JSON text says; raises ManifestError, also for a field that is named twice."""
    if len(text) > max_bytes:
        raise ManifestError(name, f"at most {max_bytes} bytes", f"{len(text)} bytes")
    try:
        return json.loads(text.decode(), object_pairs_hook=_object)
    except ManifestError:
        raise
    except (ValueError, RecursionError) as error:
        raise ManifestError(name, "JSON in UTF-8", str(error)) from error


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ManifestError(key, "one field of that name", "two")
        found[key] = value
    return found


def object_with(name: str, value: object, fields: Collection[str]) -> dict[str, Any]:
    """Return an object with exactly these fields."""
    if not isinstance(value, dict):
        raise ManifestError(name, "an object", type(value).__name__)
    for field in fields:
        if field not in value:
            raise ManifestError(field, "to be there", "nothing")
    for field in value:
        if field not in fields:
            raise ManifestError(name, f"the fields {', '.join(fields)}", field)
    return value


def list_of(name: str, value: object) -> list[Any]:
    """Return a list, which may be empty; raises ManifestError."""
    if not isinstance(value, list):
        raise ManifestError(name, "a list", type(value).__name__)
    return value


def text_of(name: str, value: object) -> str:
    """Return a text that is not empty and stands for bytes without NUL (os.fsdecode's surrogates are bytes)."""
    if not isinstance(value, str) or not value:
        raise ManifestError(name, "a text", value)
    try:
        raw = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ManifestError(name, "a text that stands for bytes", value) from None
    if "\0" in value or raw.decode("utf-8", "surrogateescape") != value:
        raise ManifestError(name, "a text that stands for bytes without NUL, in one way only", value)
    return value


def hex_of(name: str, value: object, length: int | None = None) -> bytes:
    """Return the bytes that lower-case hex stands for, `length` of them when it is given."""
    expected = "lower-case hex" if length is None else f"{2 * length} digits of lower-case hex"
    if not isinstance(value, str) or not HEX.fullmatch(value) or (length is not None and len(value) != 2 * length):
        raise ManifestError(name, expected, value)
    return bytes.fromhex(value)


def base64_of(name: str, value: object) -> bytes:
    """Return the bytes that standard base64 stands for, at least one."""
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if not raw or base64.b64encode(raw).decode() != value:
        raise ManifestError(name, "standard base64", value)
    return raw


def whole_number(name: str, value: object) -> int:
    """Return an integer of at least 0; raises ManifestError, also for true and false, numbers to Python."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ManifestError(name, "a whole number of at least 0", value)
    return value


def mapping_of(name: str, value: object) -> Mapping[str, Any]:
    """Return an object with at least one member; raises ManifestError."""
    if not isinstance(value, dict) or not value:
        raise ManifestError(name, "an object that is not empty", value)
    return value
