"""Watch the measured files while the service runs: inotify tells at once, and a slow pass measures all anew.

inotify does not tell everything: not a write through another name of the file (a hard link, a second mount), through a
memory map, or from another machine. That is what the pass is for, and it comes at once when the kernel dropped events.
"""

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from functools import reduce
from operator import or_
from select import POLLIN, poll

from inotify_simple import Event, INotify, flags

from tpm.service.release.entries import Entry
from tpm.service.release.measure import ChangedError, MeasureError, differences, measure
from tpm.service.release.pcr import path_bytes, path_text
from tpm.service.release.strict_json import ReleaseError, shown

log = logging.getLogger(__name__)

OnDrift = Callable[[str, str], None]
Look = Callable[[], Iterable[tuple[str, str]]]

PACE_MS = 2  # after each file of a slow pass: requests come first
LONGEST_WAIT_S = 3600  # poll(2) takes its milliseconds as an int
RETRY_S = 5  # after a pass that the service's own lack of descriptors or memory ended
ASKED = (
    (flags.CREATE, "added"),
    (flags.DELETE, "removed"),
    (flags.MOVED_FROM, "moved"),
    (flags.MOVED_TO, "moved"),
    (flags.MODIFY, "changed"),
    (flags.CLOSE_WRITE, "changed"),
    (flags.DELETE_SELF, "removed"),
    (flags.MOVE_SELF, "moved"),
)
UNASKED = ((flags.UNMOUNT, "unmounted"), (flags.IGNORED, "removed"))
MASK = reduce(or_, (flag for flag, _ in ASKED), flags.ATTRIB | flags.DONT_FOLLOW)


class WatchError(ReleaseError):
    """The measured files cannot be watched."""


class _Drifted(Exception):
    def __init__(self, what: str, path: str) -> None:
        super().__init__(what, path)
        self.what = what
        self.path = path


class _Stopped(Exception):
    pass


@dataclass(frozen=True)
class _Watched:
    """What a watch stands on: a path, and which inode was there."""

    path: bytes
    inode: tuple[int, int]


class Watcher:
    """Reports the first drift below the roots, once, from a thread of its own: `on_drift(what, path)`.

        watcher = Watcher(manifest.roots)
        entries = watcher.measure()  # the watches stand first, so nothing slips between them and the measurement
        …                            # extend, unseal
        watcher.start(on_drift)      # reports what happened since, and what happens
        watcher.stop()

    What is written, created, deleted, moved or linked is drift, whatever the content: measured volumes are read-only by
    intent. A change of attributes is drift when a mode is not the measured one any more. `what` is added, removed,
    moved, changed, mode, link, type, unmounted, unreadable, or unwatched when the thread itself failed.
    """

    def __init__(self, roots: Sequence[str], *, full_pass_s: float = 300) -> None:
        """Take what it needs of the system; raises WatchError when there is no inotify instance left."""
        self._roots = list(roots)
        self._full_pass_s = full_pass_s
        self._entries: dict[bytes, Entry] = {}
        self._watched: dict[int, _Watched] = {}
        self._events_lost = False
        self._thread: threading.Thread | None = None
        self._look: Look = tuple
        try:
            self._inotify = INotify(nonblocking=True)
        except OSError as error:
            raise WatchError(f"inotify: {error.strerror} (fs.inotify.max_user_instances?)") from error
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._ready = poll()
        self._ready.register(self._inotify.fileno(), POLLIN)
        self._ready.register(self._wake, POLLIN)

    def measure(self) -> list[Entry]:
        """Set the watches, then measure; raises WatchError and what tpm.service.release.measure.measure() raises."""
        for root in self._roots:
            self._watch(path_bytes(root))
        entries = measure(self._roots)
        self._entries = {path_bytes(entry.path): entry for entry in entries}
        return entries

    def start(self, on_drift: OnDrift, *, look: Look = tuple) -> None:
        """Begin to report; call it once, after measure(). What `look` finds, in each slow pass, is drift as well."""
        if not self._watched:
            raise WatchError("expected measure() before start()")
        self._look = look
        self._thread = threading.Thread(target=self._run, args=(on_drift,), name="tpm-drift", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; nothing is reported once this returns. It may be called again, and from `on_drift`."""
        if self._inotify.closed:
            return
        os.eventfd_write(self._wake, 1)
        if self._thread is threading.current_thread():
            return  # it ends with this report
        if self._thread is not None:
            self._thread.join()
        self._inotify.close()
        os.close(self._wake)

    def _watch(self, root: bytes) -> None:
        """Watch a root: the file or link itself, or a directory with all directories below it."""
        paths = [root]
        while paths:
            path = paths.pop()
            try:
                paths += self._watch_one(path)
            except OSError as error:
                reason = "fs.inotify.max_user_watches is too low" if error.errno == ENOSPC else error.strerror
                raise WatchError(f"{shown(path_text(path))} cannot be watched: {reason}") from error

    def _watch_one(self, path: bytes) -> list[bytes]:
        """Watch what is at this path, and return the directories in it; the watch stands before they are listed."""
        number = self._inotify.add_watch(path, MASK)
        found = os.lstat(path)
        self._watched[number] = _Watched(path, (found.st_dev, found.st_ino))
        if not stat.S_ISDIR(found.st_mode):
            return []
        with os.scandir(path) as names:
            return [name.path for name in names if name.is_dir(follow_symlinks=False)]

    def _run(self, on_drift: OnDrift) -> None:
        drift: tuple[str, str] | None = ("unwatched", self._roots[0])
        try:
            self._keep_watching()
        except _Stopped:
            drift = None
        except _Drifted as found:
            drift = found.what, found.path
        finally:
            if drift is not None:
                on_drift(*drift)

    def _keep_watching(self) -> None:
        next_pass = time.monotonic() + self._full_pass_s
        while True:
            wait_s = min(max(0.0, next_pass - time.monotonic()), LONGEST_WAIT_S)
            self._handle_events(wait_ms=wait_s * 1000)
            if self._events_lost or time.monotonic() >= next_pass:
                next_pass = time.monotonic() + self._pass()

    def _pass(self) -> float:
        """Measure all anew and return in how many seconds the next pass is due; raises _Drifted for a difference."""
        pace_ms = 0 if self._events_lost else PACE_MS
        self._events_lost = False
        try:
            found = measure(self._roots, lambda entry: self._handle_events(wait_ms=pace_ms))
        except ChangedError as error:
            raise _Drifted("changed", error.path) from error
        except MeasureError as error:
            if not error.transient:
                raise _Drifted("unreadable", error.path) from error
            log.warning("the measured files could not all be read, once more in %s s: %s", RETRY_S, error)
            return min(RETRY_S, self._full_pass_s)
        for difference in differences(self._entries.values(), found):
            raise _Drifted(difference.what, difference.path)
        for what, path in self._look():
            raise _Drifted(what, path)
        return self._full_pass_s

    def _handle_events(self, *, wait_ms: float) -> None:
        """Handle the events that are there or come within this time; raises _Stopped, _Drifted."""
        for descriptor, _ in self._ready.poll(wait_ms):
            if descriptor == self._wake:
                raise _Stopped
        for event in self._inotify.read(timeout=0):
            self._handle(event)

    def _handle(self, event: Event) -> None:
        if event.mask & flags.Q_OVERFLOW:
            self._events_lost = True
            return
        watched = self._watched[event.wd]
        path = watched.path + (b"/" + os.fsencode(event.name) if event.name else b"")
        for flag, what in (*ASKED, *UNASKED):
            if event.mask & flag:
                raise _Drifted(what, path_text(path))
        if not event.mask & flags.ISDIR:
            self._check_attributes(path, None if event.name else watched.inode)

    def _check_attributes(self, path: bytes, inode: tuple[int, int] | None) -> None:
        """Raise _Drifted unless the same file is there (where its inode is known) with the mode that was measured."""
        try:
            found = os.lstat(path)
        except OSError as error:
            raise _Drifted("removed", path_text(path)) from error
        if inode is not None and inode != (found.st_dev, found.st_ino):
            raise _Drifted("changed", path_text(path))
        entry = self._entries.get(path)
        if entry is not None and entry.mode is not None and entry.mode != stat.S_IMODE(found.st_mode):
            raise _Drifted("mode", path_text(path))
