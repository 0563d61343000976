"""What a release is made of: its roots, an entry for each file or link below them, and the event that measures it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tpm.service.release.pcr import DIGEST_BYTES, path_bytes
from tpm.service.release.strict_json import (
    ManifestError,
    hex_of,
    object_with,
    shown,
    text_of,
    whole_number,
)

OTHER_TYPES = ("fifo", "socket", "character-device", "block-device", "unknown")
DRIFT = "drift"
MODE = re.compile(r"[0-7]{4}")


@dataclass(frozen=True)
class Entry:
    """What was found at a path: a file (sha256, size, mode), a symbolic link (link), or something else (other).

    `mode` holds the permission bits (0o7777), `link` the target as it is written, `other` one of OTHER_TYPES.
    """

    path: str
    sha256: bytes | None = None
    size: int | None = None
    mode: int | None = None
    link: str | None = None
    other: str | None = None

    @classmethod
    def parse(cls, value: object) -> "Entry":
        """Return the file or link that this JSON object describes; raises ManifestError."""
        if isinstance(value, dict) and "link" in value:
            given = object_with("files", value, ("path", "link"))
            return cls(_path("path", given["path"]), link=text_of("link", given["link"]))
        given = object_with("files", value, ("path", "sha256", "size", "mode"))
        return cls(
            _path("path", given["path"]),
            sha256=hex_of("sha256", given["sha256"], DIGEST_BYTES),
            size=whole_number("size", given["size"]),
            mode=_mode(given["mode"]),
        )

    def json(self) -> dict[str, Any]:
        """Return the JSON object of a file or link; raises ManifestError for anything else."""
        if self.link is not None:
            return {"path": self.path, "link": self.link}
        if self.sha256 is None or self.size is None or self.mode is None:
            raise ManifestError("files", "files and symbolic links", f"{self.other} {self.path}")
        return {"path": self.path, "sha256": self.sha256.hex(), "size": self.size, "mode": f"{self.mode:04o}"}


def event(entry: Entry) -> str:
    """Return the text whose SHA-256 is extended for this entry.

    `sha256:<hex> <mode> <path>`, `link:<target> <path>` or `other:<type> <path>`. In a target, `%` is written as `%25`
    and a space as `%20`, so that the first space always ends it and two trees never have the same events.
    """
    if entry.sha256 is not None:
        return f"sha256:{entry.sha256.hex()} {entry.mode:04o} {entry.path}"
    if entry.link is not None:
        return f"link:{entry.link.replace('%', '%25').replace(' ', '%20')} {entry.path}"
    return f"other:{entry.other} {entry.path}"


def events(entries: Iterable[Entry]) -> list[str]:
    """Return the events of these entries in the order in which they are measured: by the bytes of their paths."""
    return [event(entry) for entry in sorted(entries, key=lambda entry: path_bytes(entry.path))]


def drift_event(what: str, path: str) -> str:
    """Return the event that is extended when something changed while the service runs; it unseals nothing any more."""
    return f"{DRIFT}:{what} {path}"


def check_roots(roots: Sequence[str]) -> None:
    """Raise ManifestError unless there are roots, all of them absolute, and none lies in another."""
    if not roots:
        raise ManifestError("roots", "at least one path", "none")
    for index, root in enumerate(roots):
        _path("roots", root)
        for other in roots[:index]:
            if within(root, other) or within(other, root):
                raise ManifestError("roots", "paths that do not overlap", f"{shown(other)} and {shown(root)}")


def within(path: str, root: str) -> bool:
    """Tell whether a normal path is the root or lies below it."""
    return path == root or path.startswith(f"{root}/")


def _path(name: str, value: object) -> str:
    text = text_of(name, value)
    parts = text.split("/")
    if parts[0] != "" or text == "/" or any(part in ("", ".", "..") for part in parts[1:]):
        raise ManifestError(name, "an absolute path without //, . and ..", text)
    return text


def _mode(value: object) -> int:
    if not isinstance(value, str) or not MODE.fullmatch(value):
        raise ManifestError("mode", "four octal digits", value)
    return int(value, 8)
