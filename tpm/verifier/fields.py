"""PURE: the fields of a JSON document or answer, read strictly; what is not in its form raises MalformedError."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from tpm.verifier.errors import MalformedError

SHA256_HEX = re.compile(r"[0-9a-f]{64}")


def text_bytes(text: str) -> bytes:
    """Return the bytes for which a path, an event or a manifest stands (os.fsdecode's surrogates are bytes)."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise MalformedError("expected text that stands for bytes") from error


def no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For json.loads: who reads a text must not find another member than who hashed or signed it."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError("a member is named twice")
    return found


def hex_digest(value: object, name: str) -> str:
    """Return a text that is a SHA-256 in lower-case hex; raises MalformedError."""
    if not isinstance(value, str) or not SHA256_HEX.fullmatch(value):
        raise MalformedError(f"{name}: expected 64 digits of lower-case hex")
    return value


def members(value: object, name: str, expected: set[str]) -> Mapping[str, Any]:
    """Return an object that has exactly these members; raises MalformedError."""
    if not isinstance(value, dict) or set(value) != expected:
        raise MalformedError(f"{name}: expected an object with {', '.join(sorted(expected))}")
    return value


def from_base64(value: object, name: str) -> bytes:
    """Return the bytes of a text in standard base64; raises MalformedError."""
    if not isinstance(value, str):
        raise MalformedError(f"{name}: expected base64, got {type(value).__name__}")
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError(f"{name}: expected standard base64") from None
