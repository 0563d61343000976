"""The Docker engine that the containers run on: the machine's, or else one of our own below var.

Our own engine keeps images and volumes in var/engine and listens on var/run/docker.sock alone. It has no
default bridge, and when it ends, the machine's packet filter is as it was before.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dev import bootstrap
from dev.common.processes import Child, ProcessError
from dev.common.steps import StackError, step
from dev.stack.layout import LOG, RUN, VAR
from dev.stack.pids import PidFile

DATA = VAR / "engine"
SOCKET = RUN / "docker.sock"
PID_FILE = PidFile(RUN / "dockerd.pid")
FILTER_FILE = DATA / "iptables-before"
DEBIAN_DOCKER = Path("/usr/bin/docker")  # another client on the PATH may want what this engine does not have
DEBOOTSTRAP = bootstrap.Need("debootstrap", "a fresh Debian", bootstrap.program("debootstrap"))
NEEDS = [
    bootstrap.Need("docker.io", "the Docker engine", bootstrap.program("dockerd")),
    bootstrap.Need("iptables", "its networks", bootstrap.program("iptables")),
    bootstrap.Need("docker-compose", "starting compose.yaml", bootstrap.program("docker-compose")),
    DEBOOTSTRAP,
]
EMPTY_TABLES = {
    "filter": "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n",
    "nat": "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n",
}
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
SOCKET_PATH_MAX = 70  # containerd's sockets lie below DATA, and a Unix socket's path has 107 bytes
OUTPUT_TAIL = 25


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers at `host` (DOCKER_HOST); `ours` when it was started here."""

    host: str
    ours: bool

    def docker(self, *arguments: str, timeout_s: float = 600, stdin: str | None = None) -> str:
        """Run `docker` and return what it printed; raises StackError with the end of its output."""
        return run([docker_program(), *arguments], env=self.environment, timeout_s=timeout_s, stdin=stdin)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}


def docker_program() -> str:
    return str(DEBIAN_DOCKER) if DEBIAN_DOCKER.exists() else "docker"


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    timeout_s: float,
    stdin: str | None = None,
    log: TextIO | None = None,
) -> str:
    """Run a command and return its standard output (with `log`, everything goes there); raises StackError."""
    output = log or subprocess.PIPE
    try:
        done = subprocess.run(
            command,
            env=env,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=output,
            stderr=subprocess.STDOUT if log else subprocess.PIPE,
            text=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,  # Ctrl-C is for us: we end what runs, and then all of it in order
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{' '.join(command[:6])}: not done after {timeout_s:g} s") from error
    if done.returncode != 0:
        said = Path(log.name).read_text(errors="replace") if log else f"{done.stdout}{done.stderr}"
        tail = "\n".join(said.splitlines()[-OUTPUT_TAIL:])
        raise StackError(f"{' '.join(command[:6])} … ended with status {done.returncode}:\n{tail}")
    return done.stdout or ""


def install() -> None:
    """Install the Debian packages that are missing; raises StackError."""
    missing = [need for need in NEEDS if not need.present()]
    if missing:
        bootstrap.install_packages(missing)


@contextmanager
def engine(*, keep: bool = False) -> Iterator[Engine]:
    """Give the engine of DOCKER_HOST, that of the machine, or one of our own.

    Our own ends here, unless `keep`, or unless a container still runs on it.
    """
    install()
    theirs = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if theirs != _own_host() and answers(theirs):
        yield Engine(theirs, ours=False)
        return
    with step("a Docker engine of our own"):
        start()
    ours = Engine(_own_host(), ours=True)
    try:
        yield ours
    finally:
        if not keep and not ours.docker("ps", "--quiet").strip():
            with step("ending our Docker engine"):
                stop()


def answers(host: str) -> bool:
    """Tell whether a Docker engine answers at this address."""
    command = [docker_program(), "--host", host, "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def start() -> None:
    """Start our own engine, unless it runs; raises StackError."""
    if PID_FILE.pid() is not None and answers(_own_host()):
        return
    stop()
    if os.geteuid() != 0:
        raise StackError("No Docker engine answers here, and starting one needs root: sudo make compose-test")
    if len(os.fsencode(DATA)) > SOCKET_PATH_MAX:
        raise StackError(f"{DATA} is too long for an engine: its sockets would not fit. Move the checkout.")
    DATA.mkdir(parents=True, exist_ok=True)
    RUN.mkdir(parents=True, exist_ok=True)
    _save_filter()
    argv = [
        *("dockerd", "--data-root", str(DATA / "data"), "--exec-root", str(DATA / "exec")),
        *("--pidfile", str(DATA / "dockerd.pid"), "--host", _own_host(), "--bridge", "none"),
    ]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    child = Child("dockerd", argv, log=LOG / "dockerd.log", env={**os.environ, "PATH": path}, die_with_parent=False)
    try:
        child.start()
        PID_FILE.write(child.pid)
        child.wait_ready(lambda: answers(_own_host()), timeout_s=START_TIMEOUT_S)
    except ProcessError as error:
        stop()
        raise StackError(str(error)) from error


def stop() -> None:
    """End our own engine with its containers, if it runs, and put the packet filter back."""
    if PID_FILE.end(timeout_s=STOP_TIMEOUT_S):
        shutil.rmtree(DATA / "exec", ignore_errors=True)
    if FILTER_FILE.exists():
        run(["iptables-restore", str(FILTER_FILE)], timeout_s=30)
        FILTER_FILE.unlink()


def _save_filter() -> None:
    """Keep the rules as they are before dockerd adds its own; those of an engine that was killed stay saved."""
    if not FILTER_FILE.exists():
        saved = run(["iptables-save"], timeout_s=30)
        # a table that nobody has used yet is not printed, and has to be emptied again afterwards
        saved += "".join(rules for table, rules in EMPTY_TABLES.items() if f"*{table}" not in saved)
        FILTER_FILE.write_text(saved)


def _own_host() -> str:
    return f"unix://{SOCKET}"
