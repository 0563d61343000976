"""What the witness signed last of each log, on a disk: written whole, fsynced and put in place before an answer leaves.

A directory has `witness` (whose state it is: the vkey), `lock` (held while a witness runs), `origins/HASH.json` (HASH:
SHA-256 of the origin), `evidence/` (notes that contradict each other) and `ak/` (certificates of attestation keys).

The directory is made together with the key, once. One that is gone is never begun anew by itself: a witness that forgot
would sign a log's second face.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from witness.errors import FormError, SetupError
from witness.ranges import Ranges
from witness.trees import EMPTY_ROOT, Tree

EVIDENCE_MAX = 16  # of each log: two are enough for a proof
SEEN_MAX = 32
_OWNER, _LOCK = "witness", "lock"


@dataclass(frozen=True)
class Content:
    """The entries that were read so far: their tree, and which ledger ids are in it."""

    tree: Tree = field(default_factory=Tree)
    ids: Ranges = field(default_factory=Ranges)

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "size": self.tree.size,
            "peaks": [peak.hex() for peak in self.tree.peaks],
            "ids": [list(each) for each in self.ids.pairs],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Content":
        """Read the file's part; raises ValueError, LookupError, TypeError."""
        tree = Tree(int(found["size"]), [bytes.fromhex(peak) for peak in found["peaks"]])
        return cls(tree, Ranges([(int(first), int(last)) for first, last in found["ids"]]))


@dataclass(frozen=True)
class Standing:
    """Where a log stands with us. `note` is what was cosigned last, with the log's and our signature.

    `time`: of the newest cosignature (POSIX seconds, 0 for none). `seen`: the notes of the last ones, by size.
    """

    origin: str
    size: int = 0
    root: bytes = EMPTY_ROOT
    time: int = 0
    note: str = ""
    seen: Mapping[int, str] = field(default_factory=dict)
    content: Content = field(default_factory=Content)

    def grown(self, *, size: int, root: bytes, time: int, note: str, content: Content) -> "Standing":
        """The same log, with this cosigned."""
        seen = dict(list({**self.seen, size: note}.items())[-SEEN_MAX:])
        return replace(self, size=size, root=root, time=time, note=note, seen=seen, content=content)

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "origin": self.origin,
            "size": self.size,
            "root": self.root.hex(),
            "time": self.time,
            "note": self.note,
            "seen": list(self.seen.items()),
            "content": self.content.as_json(),
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Standing":
        """Read the file; raises ValueError, LookupError, TypeError."""
        seen = {int(size): str(note) for size, note in found["seen"]}
        root, content = bytes.fromhex(found["root"]), Content.from_json(found["content"])
        if len(root) != len(EMPTY_ROOT):
            raise ValueError("expected a root of 32 bytes")
        numbers = {name: int(found[name]) for name in ("size", "time")}
        return cls(str(found["origin"]), root=root, note=str(found["note"]), seen=seen, content=content, **numbers)


class State:
    """The directory, held by this process alone until `close`."""

    def __init__(self, directory: Path, vkey: str) -> None:
        self.directory = directory
        try:
            owner = (directory / _OWNER).read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise SetupError(
                f"{directory}: no state of a witness is here. It is made together with the key (keygen), and a witness "
                "that lost it must not go on with that key: it could sign what contradicts what it signed before."
            ) from None
        if owner != vkey:
            raise SetupError(f"{directory}: the state of another witness: {owner}")
        self._lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise SetupError(f"{directory}: another witness runs on this state") from None
        for path in (directory / "origins").glob("*.new"):  # of one that was killed before it came into place
            path.unlink()

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def read(self, origin: str) -> Standing:
        """Where this log stands; raises SetupError for a file that cannot be read: it is never begun anew."""
        return read_standing(self.directory, origin)

    def keep(self, standing: Standing) -> None:
        """Write it to the disk; once this returns it is there, after a power cut too. Raises OSError."""
        replaced(_file(self.directory, standing.origin), json.dumps(standing.as_json()))

    def accuse(self, origin: str, evidence: Mapping[str, Any]) -> None:
        """Keep notes that contradict each other; those that are there already are not doubled."""
        known = self.evidence(origin)
        if len(known) < EVIDENCE_MAX and all(each["notes"] != evidence["notes"] for each in known):
            replaced(self._evidence(origin), json.dumps([*known, evidence]))

    def evidence(self, origin: str) -> list[dict[str, Any]]:
        """What is kept against this log, oldest first: `time`, `reason`, `notes`."""
        with suppress(FileNotFoundError):
            found: list[dict[str, Any]] = json.loads(self._evidence(origin).read_text())
            return found
        return []

    def ak_certificates(self) -> list[dict[str, Any]]:
        """The certificates that `enrol` made, also while we run."""
        return [json.loads(path.read_text()) for path in sorted((self.directory / "ak").glob("*.json"))]

    def _evidence(self, origin: str) -> Path:
        return self.directory / "evidence" / _file(self.directory, origin).name


def make_state(directory: Path, vkey: str) -> None:
    """Make the directory for a new key; raises SetupError where there is one."""
    try:
        directory.mkdir(mode=0o700)
        for name in ("origins", "evidence", "ak"):
            (directory / name).mkdir(mode=0o700)
    except OSError as error:
        raise SetupError(f"{directory}: cannot be made: {error.strerror}") from error
    replaced(directory / _OWNER, f"{vkey}\n")


def read_standing(directory: Path, origin: str) -> Standing:
    """Read a log's file, running or not; raises SetupError."""
    path = _file(directory, origin)
    try:
        standing = Standing.from_json(json.loads(path.read_text()))
    except FileNotFoundError:
        return Standing(origin)
    except (OSError, ValueError, LookupError, TypeError, FormError) as error:
        raise SetupError(f"{path}: cannot be read ({error}): put it back from a backup, or make a new key") from error
    if standing.origin != origin:
        raise SetupError(f"{path}: expected the state of {origin}, got {standing.origin}")
    return standing


def _file(directory: Path, origin: str) -> Path:
    return directory / "origins" / f"{hashlib.sha256(origin.encode()).hexdigest()}.json"


def replaced(path: Path, text: str) -> None:
    """Write a file as a whole: until it is on the disk, what was there before stays. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w") as file:  # noqa: PTH123 - the descriptor has the mode from its first moment
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
