"""PURE: the verifier's own reading of release manifests and event logs, written apart from the service's.

A manifest is JSON `evportal-manifest/1`; each of its files or links stands for one event, and the measured PCR is
extended with SHA-256(event) in the order of the paths' bytes (TPM 2.0 Library, Part 1, 17.2; docs/tpm-api.md).
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tpm.verifier.errors import MalformedError, UnsupportedError
from tpm.verifier.fields import SHA256_HEX, no_doubles, text_bytes

FORMAT = "evportal-manifest/1"
PCR_BYTES = 32
FILES_MAX = 200_000
_FILE, _LINK = {"path", "sha256", "size", "mode"}, {"path", "link"}
_DRIFT = {  # but for a changed file
    "unmeasured": "runs without having been measured: {path}",
    "environment": "started with {path} in its environment, which decides what code is loaded",
    "arguments": "started by a command line that decides what code is loaded: {path}",
}
_MODE = re.compile(r"[0-7]{4}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release: its version, and the events of its files in the order in which they are measured, each with its path.

    `paths` and `events` run side by side.
    """

    version: str
    created_at: datetime
    paths: tuple[str, ...]
    events: tuple[str, ...]


def log_bytes(events: Sequence[str]) -> bytes:
    """Return the event log as the claims hash it: one event a line."""
    return text_bytes("\n".join(events))


def replay(events: Iterable[str]) -> bytes:
    """Return the value of a PCR that was zero and was extended with these events."""
    value = bytes(PCR_BYTES)
    for event in events:
        value = hashlib.sha256(value + hashlib.sha256(text_bytes(event)).digest()).digest()
    return value


def parse_manifest(text: str) -> Manifest:
    """Read a manifest strictly; raises MalformedError."""
    try:
        given = json.loads(text, object_pairs_hook=no_doubles)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"manifest: expected JSON: {error}") from error
    if not isinstance(given, dict) or set(given) != {"format", "version", "created_at", "roots", "files"}:
        raise MalformedError("manifest: expected format, version, created_at, roots and files")
    if given["format"] != FORMAT:
        raise MalformedError(f"manifest: format: expected {FORMAT}, got {given['format']!r}")
    files = given["files"]
    if not isinstance(files, list) or not 1 <= len(files) <= FILES_MAX:
        raise MalformedError(f"manifest: files: expected a list of 1 to {FILES_MAX}")
    events = [_event(item) for item in files]
    paths = [item["path"] for item in files]
    order = [text_bytes(path) for path in paths]
    if any(one >= other for one, other in itertools.pairwise(order)):
        raise MalformedError("manifest: files: expected each path once, sorted by its bytes")
    return Manifest(str(given["version"]), _time(given["created_at"]), tuple(paths), tuple(events))


def _time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise MalformedError(f"manifest: created_at: expected an ISO 8601 time, got {str(value)[:40]!r}") from error
    if time.utcoffset() != timedelta(0):
        raise MalformedError("manifest: created_at: expected a time in UTC")
    return time


def _event(item: object) -> str:
    """Return the event of a file or a link; in a link's target `%` and the space are escaped."""
    if not isinstance(item, dict) or set(item) not in (_FILE, _LINK):
        raise MalformedError("manifest: files: expected path, sha256, size and mode, or path and link")
    texts = [value for name, value in item.items() if name != "size"]
    if not all(isinstance(value, str) and value and "\0" not in value for value in texts):
        raise MalformedError("manifest: files: expected texts")
    path = item["path"]
    if not path.startswith("/"):
        raise MalformedError(f"manifest: files: expected an absolute path, got {path!r}")
    if "link" in item:
        return f"link:{item['link'].replace('%', '%25').replace(' ', '%20')} {path}"
    if not SHA256_HEX.fullmatch(item["sha256"]) or not _MODE.fullmatch(item["mode"]) or type(item["size"]) is not int:
        raise MalformedError(f"manifest: {path!r}: expected sha256 in hex, mode in four octal digits, size in bytes")
    return f"sha256:{item['sha256']} {item['mode']} {path}"


def path_of(event: str) -> str:
    """Return the path that an event is about; the whole event where it has none."""
    parts = event.split(" ", 2 if event.startswith("sha256:") else 1)
    return parts[-1]


def difference(manifest: Manifest, log: Sequence[str]) -> str:
    """Name the first difference between what was released and what was measured; "" where there is none."""
    if tuple(log) == manifest.events:
        return ""
    return next(_differences(manifest, log))


def _differences(manifest: Manifest, log: Sequence[str]) -> Iterator[str]:
    drift = next((event for event in log if event.startswith("drift:")), None)
    measured = {path_of(event): event for event in log if event is not drift}
    released = dict(zip(manifest.paths, manifest.events, strict=True))
    for path, event in released.items():
        if path not in measured:
            yield f"removed: {path}"
        elif measured[path] != event:
            yield f"changed: {path} (expected {_what(event, path)}, got {_what(measured[path], path)})"
    for path in measured:
        if path not in released:
            yield f"added: {path}"
    if drift is not None:
        what, _, path = drift.removeprefix("drift:").partition(" ")
        yield _DRIFT.get(what, "changed while running: {path} ({what})").format(path=path, what=what)
    yield "the same files, measured in another order or more than once"


def _what(event: str, path: str) -> str:
    return event.removesuffix(f" {path}")


def check_manifest_signature(text: str, signature: bytes, release_key_pem: str) -> None:
    """Raise MalformedError unless the release key (ECC P-256) signed these very bytes with SHA-256."""
    try:
        release_key(release_key_pem).verify(signature, text_bytes(text), ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise MalformedError("not signed by the pinned release key") from None


def release_key(pem: str) -> ec.EllipticCurvePublicKey:
    """Return the public release key of a PEM text; raises MalformedError or UnsupportedError."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError("release key: expected a public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UnsupportedError("release key: expected an ECC key on P-256")
    return key
