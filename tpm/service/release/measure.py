"""Measure the files of a release: what lies below its roots now, and how that differs from what was approved."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tpm.service.release.entries import Entry, check_roots
from tpm.service.release.pcr import path_bytes, path_text
from tpm.service.release.strict_json import ReleaseError, shown

CHUNK_BYTES = 1024 * 1024
MAX_DEPTH = 100  # directories within directories; each is held open, and Python's recursion has an end
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
VANISHED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # removed, or something else took its place
TRANSIENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
OTHERS = (
    (stat.S_ISFIFO, "fifo"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "character-device"),
    (stat.S_ISBLK, "block-device"),
)


class MeasureError(ReleaseError):
    """Something below the roots could not be measured: `path`, `reason`.

    `transient` says that the reason is this process, which has no descriptor or memory left, and not the file.
    """

    def __init__(self, path: str, reason: str, *, transient: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.transient = transient
        super().__init__(f"{shown(path)}: {reason}")


class ChangedError(MeasureError):
    """It was removed, replaced or written to while it was being measured."""


@dataclass(frozen=True)
class Difference:
    """How what lies at a path differs: `what` is changed, added, removed, mode, link or type."""

    what: str
    path: str


def measure(
    roots: Sequence[str], each: Callable[[Entry], None] | None = None, *, missing_ok: bool = False
) -> list[Entry]:
    """Return an entry for everything below these roots but directories, ordered by the bytes of the paths.

    A root is a directory, a file or a symbolic link; links are entries and are never followed. `each` is called after
    each entry and may raise to stop. With `missing_ok`, a root that is not there has no entries. Raises ManifestError
    for roots that overlap, ChangedError for one that is missing or lies behind a link and for what changes meanwhile,
    MeasureError for what cannot be read.
    """
    check_roots(roots)
    found = []
    for root in roots:
        if missing_ok and not os.path.lexists(path_bytes(root)):
            continue
        for entry in _root(root):
            found.append(entry)
            if each is not None:
                each(entry)
    return sorted(found, key=lambda entry: path_bytes(entry.path))


def differences(approved: Iterable[Entry], measured: Iterable[Entry]) -> list[Difference]:
    """Return what is different in `measured`, ordered by path; a file that moved was removed and added."""
    before = {entry.path: entry for entry in approved}
    after = {entry.path: entry for entry in measured}
    found = []
    for path in sorted({*before, *after}, key=path_bytes):
        if path not in after:
            found.append(Difference("removed", path))
        elif path not in before:
            found.append(Difference("added", path))
        else:
            what = _difference(before[path], after[path])
            found.extend([Difference(what, path)] if what else [])
    return found


def _difference(before: Entry, after: Entry) -> str | None:
    if after.other is not None:
        return "type"
    if before.link != after.link:
        return "link"
    if before.sha256 != after.sha256:
        return "changed"
    return "mode" if before.mode != after.mode else None


def _root(root: str) -> Iterator[Entry]:
    raw = path_bytes(root)
    parent, name = os.path.split(raw)
    if os.path.realpath(parent) != parent:
        raise ChangedError(root, "expected a path that leads through no symbolic link")
    with _open(parent, OPEN_DIRECTORY, path=raw) as directory:
        yield from _measured(directory.number, name, raw)


def _below(directory: int, path: bytes, depth: int) -> Iterator[Entry]:
    """Yield the entries below an open directory, whose path this is."""
    if depth > MAX_DEPTH:
        raise MeasureError(path_text(path), f"expected at most {MAX_DEPTH} directories within each other")
    try:
        names = sorted(os.fsencode(name) for name in os.listdir(directory))
    except OSError as error:
        raise _failed(path, error) from error
    for name in names:
        yield from _measured(directory, name, path + b"/" + name, depth)


def _measured(directory: int, name: bytes, path: bytes, depth: int = 0) -> Iterator[Entry]:
    """Yield the entry of one name in an open directory, or all below it when it is a directory itself.

    What it is decides how it is opened (a fifo or a device never is). Had it been replaced in between, O_NOFOLLOW and
    the type of what was opened tell.
    """
    text = path_text(path)
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            target = os.fsencode(os.readlink(name, dir_fd=directory))
            yield Entry(text, link=path_text(target))
            return
    except OSError as error:
        if error.errno == errno.EINVAL:  # readlink: what was a link is none any more
            raise ChangedError(text, "something else is in its place") from error
        raise _failed(path, error) from error
    if stat.S_ISDIR(mode):
        with _open(name, OPEN_DIRECTORY, path=path, directory=directory) as inside:
            yield from _below(inside.number, path, depth + 1)
    elif stat.S_ISREG(mode):
        with _open(name, OPEN_FILE, path=path, directory=directory) as file:
            yield _file(file.number, path, text)
    else:
        yield Entry(text, other=next((kind for is_kind, kind in OTHERS if is_kind(mode)), "unknown"))


def _file(descriptor: int, path: bytes, text: str) -> Entry:
    """Return the entry of an open file, if it is the same before and after it was read."""
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ChangedError(text, "was replaced while it was measured")
        digest = hashlib.sha256()
        size = 0
        while chunk := os.read(descriptor, CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
        after = os.fstat(descriptor)
    except OSError as error:
        raise _failed(path, error) from error
    if _state(before) != _state(after) or size != after.st_size or after.st_nlink == 0:
        raise ChangedError(text, "changed while it was measured")
    return Entry(text, sha256=digest.digest(), size=size, mode=stat.S_IMODE(after.st_mode))


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class _open:
    """An open descriptor, closed at the end of its `with` block."""

    def __init__(self, name: bytes, flags: int, *, path: bytes, directory: int | None = None) -> None:
        try:
            self.number = os.open(name, flags, dir_fd=directory)
        except OSError as error:
            raise _failed(path, error) from error

    def __enter__(self) -> "_open":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.number)


def _failed(path: bytes, error: OSError) -> MeasureError:
    text = path_text(path)
    if error.errno in VANISHED:
        return ChangedError(text, "is not there, or something else is in its place")
    return MeasureError(text, f"cannot be read: {error.strerror}", transient=error.errno in TRANSIENT)
