"""What measuring does to a PCR, and what an approval of its value is signed over: digests of the SHA-256 bank.

Bytes of a path or event that are not UTF-8 appear in texts as os.fsdecode has them (surrogateescape).
"""

import hashlib
from collections.abc import Iterable

POLICY_REF = b"evportal-release"
DIGEST_BYTES = 32
PCR_START = bytes(DIGEST_BYTES)


def path_bytes(text: str) -> bytes:
    """Return the bytes that a path or an event stands for."""
    return text.encode("utf-8", "surrogateescape")


def path_text(path: bytes) -> str:
    """Return the text that stands for these bytes, in the one way that path_bytes() reads back."""
    return path.decode("utf-8", "surrogateescape")


def event_digest(text: str) -> bytes:
    """Return what a PCR is extended with for this event, in the SHA-256 bank."""
    return hashlib.sha256(path_bytes(text)).digest()


def extended(value: bytes, events: Iterable[str]) -> bytes:
    """Return the PCR's value after these events (TPM 2.0 Library, Part 1, 17.2)."""
    for text in events:
        value = hashlib.sha256(value + event_digest(text)).digest()
    return value


def approval_digest(policy: bytes) -> bytes:
    """Return aHash, which the release key signs to approve a policy (TPM2_PolicyAuthorize, Part 3, 23.16)."""
    return hashlib.sha256(policy + POLICY_REF).digest()
