"""Starts, watches and ends the parts of dev/Procfile, under honcho.

honcho runs twice: once for what the portal stands on, once for the portal itself. So the portal starts when chain and
keys are ready, and ends before they do. honcho alone would end everything when one part ends; dev/stack/keep.py stands
between it and each part. Should honcho or a keeper be killed, the next start ends what is left of the group by its pid
files, and starts the group anew.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from dev.common.processes import port_open
from dev.common.steps import StackError, step
from dev.parts.swtpm import accepts, control_path
from dev.stack.keep import keeper_file, part_file
from dev.stack.layout import LOG, ROOT, RUN, STACK_ENV, TPM_SOCKET, Ports
from dev.stack.pids import PidFile

STOP_TIMEOUT_S = 40.0
POLL_S = 0.1
BLOCKS_BEHIND = 10  # 5 s
REPLAY_S = 300  # a chain that was killed reads all its blocks again
GET_INFO = "/v1/chain/get_info"
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Part:
    """One line of the Procfile. `ports` are those that it listens on, `ready` tells whether it answers."""

    name: str
    ports: tuple[str, ...]
    ready: Callable[[Ports], bool]
    timeout_s: float = 60

    @property
    def log(self) -> Path:
        return LOG / f"{self.name}.log"


def _listens(port: str) -> Callable[[Ports], bool]:
    return lambda ports: port_open(ports[port])


def _answers(port: str, path: str) -> Callable[[Ports], bool]:
    """Ready when this address answers with success or a redirect."""

    def ready(ports: Ports) -> bool:
        try:
            return httpx2.get(ports.url(port) + path, timeout=5).status_code < httpx2.codes.BAD_REQUEST
        except httpx2.HTTPError:
            return False

    return ready


def _follows(ports: Ports) -> bool:
    """Ready when the reader knows the irreversible blocks of the producer, but for the newest."""
    try:
        mine, theirs = (httpx2.get(ports.url(node) + GET_INFO, timeout=5).json() for node in ("READER", "NODEOS"))
        return bool(mine["last_irreversible_block_num"] > theirs["last_irreversible_block_num"] - BLOCKS_BEHIND)
    except (httpx2.HTTPError, ValueError, KeyError):
        return False


FOUNDATION = [
    Part("redis", ("REDIS",), _listens("REDIS")),
    Part("swtpm", (), lambda _: accepts(control_path(TPM_SOCKET))),
    Part("cognito", ("COGNITO",), _listens("COGNITO")),
    Part("nodeos", ("NODEOS", "NODEOS_P2P"), _answers("NODEOS", GET_INFO), REPLAY_S),
    Part("tpm", ("TPM",), _answers("TPM", "/v1/health")),
]
PORTAL = [
    # not above, where it belongs: a node whose peer does not listen yet tries again only after 30 s
    Part("reader", ("READER", "READER_P2P"), _follows, REPLAY_S),
    Part("web", ("WEB",), _answers("WEB", "/login")),
    Part("gateway", ("GATEWAY",), _listens("GATEWAY")),
    Part("worker", (), lambda _: part_file("worker").pid() is not None),
    Part("webhooks", (), lambda _: part_file("webhooks").pid() is not None),
    Part("beat", (), lambda _: part_file("beat").pid() is not None),
]
# Last: what they report comes beside the import, which has the database to itself.
STATIONS = [Part("stations", (), lambda _: part_file("stations").pid() is not None)]


@dataclass(frozen=True)
class Group:
    """Parts that one honcho runs."""

    name: str
    parts: Sequence[Part]

    @property
    def pid_file(self) -> PidFile:
        return PidFile(RUN / f"honcho-{self.name}.pid")

    @property
    def log(self) -> Path:
        return LOG / f"honcho-{self.name}.log"

    def running(self) -> bool:
        """Tell whether honcho and every keeper are there; a part itself may just be starting again."""
        return self.pid_file.pid() is not None and all(keeper_file(part.name).pid() for part in self.parts)

    def start(self, ports: Ports) -> None:
        """Start the group, unless it runs; returns when every part is ready."""
        if not self.running():
            self._honcho()
        for part in self.parts:
            self._wait_ready(part, ports)

    def _honcho(self) -> None:
        """honcho in a session of its own: it outlives us, and Ctrl-C on `make demo` does not reach it."""
        names = [part.name for part in self.parts]
        argv = [sys.executable, "-m", "honcho", "start", "--no-colour"]
        argv += ["--app-root", str(ROOT), "--procfile", "dev/Procfile", "--env", str(STACK_ENV), *names]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid_file.write(process.pid)

    def _wait_ready(self, part: Part, ports: Ports) -> None:
        with step(f"{part.name} answers"):
            deadline = time.monotonic() + part.timeout_s
            while not part.ready(ports):
                if self.pid_file.pid() is None:
                    raise StackError(f"honcho ended while {part.name} was starting.\n{_log_tail(self.log)}")
                if time.monotonic() > deadline:
                    raise StackError(f"{part.name} does not answer after {part.timeout_s:g} s.\n{_log_tail(part.log)}")
                time.sleep(POLL_S)

    def stop(self) -> list[str]:
        """End honcho and with it the parts, then whatever an earlier end by force has left; returns what was ended."""
        running = [part.name for part in self.parts if part_file(part.name).pid() is not None]
        self.pid_file.end(timeout_s=STOP_TIMEOUT_S)
        for part in self.parts:
            keeper_file(part.name).end(timeout_s=STOP_TIMEOUT_S)
        for part in self.parts:
            part_file(part.name).end_session(timeout_s=STOP_TIMEOUT_S)
        return running


FOUNDATION_GROUP = Group("foundation", FOUNDATION)
PORTAL_GROUP = Group("portal", PORTAL)
STATIONS_GROUP = Group("stations", STATIONS)
GROUPS = (FOUNDATION_GROUP, PORTAL_GROUP, STATIONS_GROUP)


def clear_the_way(ports: Ports) -> None:
    """End what is left of groups that do not run whole; raises StackError when a stranger has one of their ports."""
    absent = [group for group in GROUPS if not group.running()]
    for group in reversed(absent):
        group.stop()
    ports.check_free([name for group in absent for part in group.parts for name in part.ports])


def log_free_space() -> str:
    """How much room is left where the stack keeps its data, for error messages."""
    return f"{shutil.disk_usage(ROOT).free // 1_000_000:,} MB free"


def _log_tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:] if log.exists() else []
    return "\n".join(
        [f"The end of {log}:", *lines, f"({log_free_space()}.) When the cause is gone, run make demo again."]
    )
