"""The log of every use of a key: who, which key, what digests, when; chained by hashes, so that what is changed shows.

    python -m tpm.service.audit verify PATH… [--head SEQUENCE:HASH]

PATH is the directory of a log, or some of its files. It says that the log is intact (0), or which lines were altered,
removed, inserted, moved or cut (1).

One line of JSON an entry, without blanks: `sequence` (from 1), `at` (UTC), `client_id` (empty: the service itself),
`operation`, `key` (or sealed object), `digests` (hex SHA-256: what was signed; of hmac data, ciphertext or nonce their
hash; never the data, and of sealed data not even the hash), `outcome` (`done`, `begun`, `unchanged` when what is to be
made was there, or the code of the refusal), `previous` (the hash of the entry before, zeros before the first) and
`hash`, the SHA-256 of the line without itself: `{"sequence":1,…,"previous":"…"}`.

What holds:
- A use is written before its answer leaves, and survives the end of the process by whatever signal. After a power cut
  the last SYNC_EVERY_S may be missing, never what was attested (`head`).
- A use that cannot be written is refused (AuditUnavailableError). Keys and sealed objects are made and deleted only
  after `begun` is written.
- A torn last line (a power cut, or SIGKILL within the write; nobody got its answer) is cut at the next start, and an
  entry `line_cut` with the hash of what was cut stands in its place.
- A chain that is damaged at the start is left as it is, for those who will look into it. The service says so as an
  error in its log and goes on in a new file, whose first entry `chain_broken` binds the damaged file by its hash. It
  does not refuse to work: whoever can write here could otherwise stop it with one byte. `verify` shows the break for
  ever. At a start only the newest file is checked, which bounds the time; `verify` checks them all.
- Whoever can write here can also hash everything behind a change anew. That shows against any head that was attested
  before: the portal keeps the last one, names it with each attestation, and hears whether the files still hold it and
  lead from it to the newest (`since`); `verify --head` says the same of any other.

Files are named by the sequence of their first entry. A full one is never touched again, and may be moved elsewhere once
a head behind its last entry was attested.
"""

import fcntl
import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tpm.service.errors import AuditUnavailableError, InternalError, QueueDeadlineError, QueueFullError, ServiceError
from tpm.service.keys.audit_check import NOTHING, UNKNOWN, Head, Kept, kept, log_files, verified_file
from tpm.service.turn import caller

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 4 * 1024 * 1024  # 12,000 entries, checked at a start in 0.2 s
SYNC_EVERY_S = 1.0
NOT_TRIED = (QueueFullError, QueueDeadlineError)  # the TPM was never asked


@dataclass
class Outcome:
    """How a use ended, when nothing was raised; whoever makes the use may say it more exactly."""

    text: str = "done"


class _Opened(NamedTuple):
    """Where the log goes on: its last entry, the file (None: a new one), and what has to be told of first."""

    head: Head
    path: Path | None
    event: tuple[str, str] | None = None  # operation, digest


class AuditLog:
    """The log in one directory, which one process writes. Threads share it."""

    def __init__(
        self, directory: Path, *, max_file_bytes: int = MAX_FILE_BYTES, sync_every_s: float = SYNC_EVERY_S
    ) -> None:
        """Open the log, checking its newest file; raises AuditUnavailableError when it cannot be written."""
        self._directory = directory
        self._max_file_bytes = max_file_bytes
        self._guard = threading.Lock()
        self._closed = threading.Event()
        self._unsynced = self._torn = False
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(directory)
            found = _recovered(directory)
            self._head = found.head
            self._descriptor, self._size = _opened(found.path or self._next_path())
        except OSError as error:
            raise AuditUnavailableError(f"cannot open the log of key uses ({error.strerror})") from error
        if found.event:
            self.append(found.event[0], "", [found.event[1]])
        threading.Thread(target=self._sync_now_and_then, args=(sync_every_s,), name="audit-sync", daemon=True).start()

    @contextmanager
    def use(self, operation: str, key: str, digests: Sequence[str] = ()) -> Iterator[Outcome]:
        """Log what is done inside: when it has worked, or when it was refused; raises AuditUnavailableError."""
        outcome = Outcome()
        try:
            yield outcome
        except NOT_TRIED:
            raise
        except ServiceError as error:
            self.append(operation, key, digests, outcome=error.code)
            raise
        except Exception:  # the key may have been used: what goes wrong behind the TPM is a use as well
            self.append(operation, key, digests, outcome=InternalError.code)
            raise
        self.append(operation, key, digests, outcome=outcome.text)

    @contextmanager
    def change(self, operation: str, key: str) -> Iterator[Outcome]:
        """Log that a key or a sealed object is about to be made or deleted, and how that ended."""
        self.append(operation, key, outcome="begun")
        with self.use(operation, key) as outcome:
            yield outcome

    def append(self, operation: str, key: str, digests: Sequence[str] = (), *, outcome: str = "done") -> None:
        """Write one entry of `caller`'s; raises AuditUnavailableError when it is not in the file afterwards."""
        with self._guard:
            sequence = self._head.sequence + 1
            entry = {
                "sequence": sequence,
                "at": datetime.now(UTC).isoformat(),
                "client_id": caller.get(),
                "operation": operation,
                "key": key,
                "digests": digests,
                "outcome": outcome,
                "previous": self._head.hash,
            }
            text = json.dumps(entry, separators=(",", ":"))
            digest = hashlib.sha256(text.encode()).hexdigest()
            try:
                self._write(f'{text[:-1]},"hash":"{digest}"}}\n'.encode())
            except OSError as error:
                log.error("cannot write the log of key uses: %s", error)
                raise AuditUnavailableError("the log of key uses cannot be written") from error
            self._head = Head(sequence, digest)

    def head(self) -> Head:
        """Return the last entry's sequence and hash, once they are on the disk: an attested head is never lost."""
        with self._guard:
            try:
                self._sync()
            except OSError as error:
                raise AuditUnavailableError("the log of key uses cannot be written") from error
            return self._head

    def since(self, attested: Head, newest: Head) -> Kept:
        """Say what the files hold of an entry that was attested before, and whether they go on from it to this head.

        They are read, not our memory: what somebody changed behind our back has to show. Writers go on meanwhile.
        """
        try:
            found = kept(self._directory, attested.sequence, newest)
        except OSError as error:
            raise AuditUnavailableError("the log of key uses cannot be read") from error
        if found != Kept(attested.hash, leads_on=True):
            log.critical("THE LOG OF KEY USES IS NOT THE ONE THAT WAS ATTESTED: entry %d: %s", attested.sequence, found)
        return found

    def close(self) -> None:
        """Sync what was written, close the file, and let another process have the log."""
        self._closed.set()
        with self._guard:
            self._sync()
            os.close(self._descriptor)
            os.close(self._lock)

    def _write(self, line: bytes) -> None:
        """Write the whole line, or leave nothing of it in the file."""
        if self._torn:
            os.ftruncate(self._descriptor, self._size)
            self._torn = False
        if self._size and self._size + len(line) > self._max_file_bytes:
            self._rotate()
        self._torn = True
        written = os.write(self._descriptor, line)
        if written != len(line):
            raise OSError(f"expected to write {len(line)} bytes, wrote {written}: the disk is full")
        self._torn, self._unsynced = False, True
        self._size += written

    def _rotate(self) -> None:
        descriptor, size = _opened(self._next_path())
        self._sync()
        os.close(self._descriptor)
        self._descriptor, self._size = descriptor, size

    def _next_path(self) -> Path:
        return self._directory / f"{self._head.sequence + 1:012}.jsonl"

    def _sync(self) -> None:
        if self._unsynced:
            os.fdatasync(self._descriptor)
            self._unsynced = False

    def _sync_now_and_then(self, every_s: float) -> None:
        """Sync beside the writers: whoever waited for the disk would hold the next ones up."""
        while not self._closed.wait(every_s):
            with self._guard:
                if not self._unsynced:
                    continue
                self._unsynced = False
                descriptor = os.dup(self._descriptor)
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                self._unsynced = True
                log.error("cannot write the log of key uses to the disk: %s", error)
            finally:
                os.close(descriptor)


def _locked(directory: Path) -> int:
    """Keep a second process out: two that append would break the chain."""
    descriptor = os.open(directory / ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AuditUnavailableError(f"another process writes the log of key uses in {directory}") from None
    return descriptor


def _opened(path: Path) -> tuple[int, int]:
    """Open a file for appending, durably if it is new; returns descriptor and size."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return descriptor, os.fstat(descriptor).st_size


def _recovered(directory: Path) -> _Opened:
    """Find out where the chain goes on, cutting a torn last line and leaving a damaged file behind."""
    event = None
    for path in reversed(log_files(directory)):
        first = int(path.stem)
        found = verified_file(path, NOTHING if first == 1 else Head(first - 1, UNKNOWN))
        if found.breaks:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            log.critical("THE LOG OF KEY USES IS DAMAGED, and goes on in a new file: %s", found.breaks[0])
            return _Opened(Head(found.highest_sequence, digest), None, ("chain_broken", digest))
        if found.torn:
            event = "line_cut", hashlib.sha256(found.torn).hexdigest()
            log.error("the last line of %s was torn: %d bytes are cut", path, len(found.torn))
            os.truncate(path, path.stat().st_size - len(found.torn))
        if found.entries:  # else a file that was just begun
            return _Opened(found.head, path, event)
    return _Opened(NOTHING, None, event)
