"""Files that name a running process, and are never wrong about it.

A pid alone may belong to somebody else by now. With the moment at which the process started, and the boot of the
machine that counts it, it cannot. What is said of /proc is in proc(5).
"""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

from dev.common.files import replace
from dev.common.processes import wait_until

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STATE, SESSION, START = 0, 3, 19  # fields 3, 6 and 22


@dataclass(frozen=True)
class PidFile:
    """`path` holds "pid start boot" of one process."""

    path: Path

    def write(self, pid: int) -> None:
        """Name a process that runs now."""
        replace(self.path, f"{pid} {_started(pid)} {_boot()}\n")

    def pid(self) -> int | None:
        """The pid, if that very process still runs."""
        named = self._read()
        return named[0] if named and _started(named[0]) == named[1] else None

    def signal(self, number: int) -> bool:
        """Send a signal, if the process still runs; tells whether it did."""
        pid = self.pid()
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def end(self, *, timeout_s: float) -> bool:
        """SIGTERM, wait, then SIGKILL, and forget it; tells whether it ran at all."""
        ran = self.signal(signal.SIGTERM)
        if ran and not wait_until(self._gone, timeout_s):
            self.signal(signal.SIGKILL)
            wait_until(self._gone, timeout_s)
        self.path.unlink(missing_ok=True)
        return ran

    def end_session(self, *, timeout_s: float) -> None:
        """End the process, which led a session of its own, and whoever is left of that session then."""
        named = self._read()
        self.end(timeout_s=timeout_s)
        if named:  # until they are gone: their ports are wanted
            wait_until(lambda: not _killed_without_leader(named[0]), timeout_s)

    def _gone(self) -> bool:
        return self.pid() is None

    def _read(self) -> tuple[int, str] | None:
        """Pid and start of the named process, if the file is there and of this boot."""
        try:
            pid, started, boot = self.path.read_text().split()
        except (OSError, ValueError):
            return None
        return (int(pid), started) if boot == _boot() else None


def _killed_without_leader(leader: int) -> list[int]:
    """Kill who is left of a session whose leader has ended; returns who that was.

    While one of them lives, the kernel gives the leader's number to no new process: a process of that number is a
    stranger, and then none of them is left.
    """
    if _started(leader) is not None:
        return []
    left = [pid for pid in psutil.pids() if _started(pid) is not None and _stat(pid)[SESSION] == str(leader)]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third (state) on; empty texts when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return [""] * 50


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None when it is gone or only a zombie."""
    fields = _stat(pid)
    return None if fields[STATE] in ("Z", "") else fields[START]


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else "-"
