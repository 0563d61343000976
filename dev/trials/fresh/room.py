"""A Debian in a folder, lived in: with processes, mounts and pids of its own, all of which end with its first process.

The first process (pid 1 in there) is a shell that `unshare` starts. Its mounts are seen by nobody else, and the kernel
ends every process of the room when it ends, whatever they are, also when we are killed.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dev.common.processes import POLL_S, Child, ProcessError
from dev.containers.engine import run

# It waits for ever and, as pid 1 has to, takes what is orphaned: who ended in there is gone, for whoever asks.
# The folder becomes a mount, as the root of a system is one: without that, nothing in there could unshare its mounts.
FIRST_PROCESS = """
set -e
[ "$1" = / ] || mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/dev/shm"
echo ready
sleep infinity &
wait
"""
SLEEP = "sleep infinity"
READY = "ready\n"
START_TIMEOUT_S = 60
END_TIMEOUT_S = 20
OWN = ["--mount", "--pid", "--ipc"]
INTO = ["--root", *OWN]  # the first process's root, which a room in a room has another of
ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
}


@dataclass(frozen=True)
class Room:
    """A room that is lived in; `first` is the pid of its first process, as seen from here."""

    root: Path
    first: int
    environment: Mapping[str, str]

    def run(self, command: str, *, folder: str, log: Path, timeout_s: float) -> str:
        """Run a line of the shell in a folder of the room; returns what it said, which stands in `log` too.

        Raises StackError with the end of it when its status is not 0.
        """
        settings = [f"{name}={value}" for name, value in {**ENVIRONMENT, **self.environment}.items()]
        inside = ["chroot", str(self.root), "/usr/bin/env", "-i", *settings, "sh", "-c", f"cd {folder} && {command}"]
        with log.open("a") as output:
            before = output.tell()
            run(["nsenter", "--target", str(self.first), *INTO, "--", *inside], timeout_s=timeout_s, log=output)
        with log.open(errors="replace") as output:
            output.seek(before)
            return output.read()

    def processes(self) -> list[str]:
        """The command lines of what runs in there, but for the first process and its sleep."""
        space = _pid_space(self.first)
        pids = [int(process.name) for process in Path("/proc").glob("[0-9]*")]
        running = [command_line(pid) for pid in pids if pid != self.first and _pid_space(pid) == space]
        its_own = ("", SLEEP, command_line(self.first))  # the last is the sleep too, for a moment
        return [command for command in running if command not in its_own]


def _pid_space(pid: int) -> str:
    """What tells one space of pids from another; "" when the process is gone."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def command_line(pid: int) -> str:
    """Program and arguments; "" when the process is gone, or has ended and nobody asked yet how."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


@contextmanager
def lived_in(root: Path, *, log: Path, environment: Mapping[str, str]) -> Iterator[Room]:
    """Mount what a room needs, give it, and end everything in it; raises ProcessError."""
    log.write_text("")
    own = ["unshare", *OWN, "--fork", "--kill-child", "--propagation", "private"]
    holder = Child("a room of its own", [*own, "sh", "-c", FIRST_PROCESS, "first", str(root)], log=log)
    try:
        holder.start()
        holder.wait_ready(lambda: log.read_text().endswith(READY), timeout_s=START_TIMEOUT_S)
        yield Room(root, _only_child(holder.pid), environment)
    finally:
        _end(holder)


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def _end(holder: Child) -> None:
    """Kill the first process; it and so `unshare`, which waits for it, end when nothing of the room runs any more."""
    with suppress(OSError, ValueError, ProcessError):
        os.kill(_only_child(holder.pid), signal.SIGKILL)
    deadline = time.monotonic() + END_TIMEOUT_S
    while holder.alive and time.monotonic() < deadline:
        time.sleep(POLL_S)
    holder.kill()
