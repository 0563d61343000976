"""Child processes of the development stack and of the tests: started, waited for, and ended by their own pid.

Used by dev/chain/nodeos.py, dev/parts/swtpm.py and everything else that needs a real server beside it.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from os import killpg
from pathlib import Path
from typing import Self

POLL_S = 0.02
LOG_TAIL_LINES = 20
FREE_PORTS = (10_000, 32_768)
# "10000-12000": from which `free_port` takes, in this process and its children. Between looking and listening somebody
# else may take the same one; the workers of one run of tests are kept apart so.
RANGE_VARIABLE = "FREE_PORTS"


class ProcessError(RuntimeError):
    """A child process did not start, did not become ready, or is not there."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment.

    It lies below those that the kernel gives to outgoing connections, which could take it before our server does.
    """
    first, _, end = os.environ.get(RANGE_VARIABLE, "").partition("-")
    ports = (int(first), int(end)) if end else FREE_PORTS
    while True:
        port = random.randrange(*ports)  # noqa: S311 - at random, for others look for one at the same time
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def port_open(port: int) -> bool:
    """Tell whether somebody accepts connections on this port of 127.0.0.1; a readiness check for `Child.wait_ready`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(check: Callable[[], bool], timeout_s: float, *, poll_s: float = POLL_S) -> bool:
    """Wait until `check()` is true; tells whether it came to that within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True


class Child:
    """One child process in a session of its own, writing stdout and stderr to the end of `log`.

    `env` replaces the environment when given. With `die_with_parent` the kernel kills the child when the *thread* that
    started it ends (PR_SET_PDEATHSIG), so that a killed test run leaves nothing behind. Start it from a lasting thread.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        die_with_parent: bool = True,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log = log
        self.cwd = cwd
        self.env = None if env is None else dict(env)
        self.die_with_parent = die_with_parent
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; raises ProcessError when it runs already or its program is missing."""
        if self.alive:
            raise ProcessError(f"{self.name}: already running with pid {self.pid}")
        path = None if self.env is None else self.env.get("PATH")
        if shutil.which(self.argv[0], path=path) is None:
            raise ProcessError(f"{self.name}: program not found: {self.argv[0]}")
        # setpriv and not preexec_fn: Python code between fork and exec can deadlock when other threads hold locks
        prefix = ["setpriv", "--pdeathsig", "KILL", "--"] if self.die_with_parent else []
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                prefix + self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.cwd,
                env=self.env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The pid of the process started last; raises ProcessError before the first start."""
        if self._process is None:
            raise ProcessError(f"{self.name}: not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit status of the process started last, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    def wait_ready(self, check: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until `check()` is true; raises ProcessError with the log's end when the child ends or time runs out."""
        deadline = time.monotonic() + timeout_s
        while not check():
            if not self.alive:
                ended = f"ended with status {self.returncode} before it was ready"
                raise ProcessError(f"{self.name}: {ended}\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name}: not ready after {timeout_s:g} s\n{self.log_tail()}")
            time.sleep(POLL_S)

    def log_tail(self) -> str:
        """Return the last lines of the log, for error messages."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])

    def stop(self, *, timeout_s: float = 10) -> None:
        """Ask the process to end (SIGTERM), kill it and its children after `timeout_s`; safe to call twice."""
        if self._process is None or not self.alive:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL the process together with its children (the process group that it leads), and wait for its end."""
        if self._process is None or not self.alive:
            return
        killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Server(Child):
    """A child process that serves: `start` returns when it is `ready`."""

    ready_timeout_s = 60.0

    def ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and return when it serves; raises ProcessError."""
        super().start()
        self.wait_ready(self.ready, timeout_s=self.ready_timeout_s)

    @contextmanager
    def running(self) -> Iterator[Self]:
        try:
            self.start()
            yield self
        finally:
            self.stop()
