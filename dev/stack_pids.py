"""Files that name a running process, and are never wrong about it.

A pid alone may belong to somebody else by now. With the moment at which the process started, and the boot of the
machine that counts it, it cannot.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
POLL_S = 0.05


@dataclass(frozen=True)
class PidFile:
    """`path` holds "pid start boot" of one process."""

    path: Path

    def write(self, pid: int) -> None:
        """Name a process that runs now."""
        building = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        building.write_text(f"{pid} {_started(pid)} {_boot()}\n")
        building.rename(self.path)

    def pid(self) -> int | None:
        """The pid, if that very process still runs."""
        try:
            pid, started, boot = self.path.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if boot == _boot() and started == _started(int(pid)) else None

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
        if ran and not self._wait(timeout_s):
            self.signal(signal.SIGKILL)
            self._wait(timeout_s)
        self.path.unlink(missing_ok=True)
        return ran

    def _wait(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.pid() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot (proc(5), field 22); None when it is gone or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] == "Z" else fields[19]


def _boot() -> str:
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else "-"
