"""A witness in this process, and one as a process of its own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.common.processes import free_port, port_open, wait_until
from tests.witness.a_log import ALog
from witness.config import Log
from witness.core import Witness
from witness.keys import SigningKey
from witness.state import State, make_state

ROOT = Path(__file__).parents[2]
NOW = 1_796_000_000.0


class Watched:
    """A witness of one log; `now` is its clock."""

    def __init__(self, directory: Path, log: Log) -> None:
        self.now, self.log, self.directory = NOW, log, directory / "state"
        self.key = SigningKey.new("witness.example/w")
        make_state(self.directory, self.key.verifier.text)
        self.start()

    def start(self) -> None:
        self.state = State(self.directory, self.key.verifier.text)
        self.witness = Witness(self.key, self.state, {self.log.origin: self.log}, lambda: self.now)

    def again(self) -> None:
        """As after the process ended, and another began."""
        self.state.close()
        self.start()


@pytest.fixture
def a_log() -> ALog:
    return ALog(20)


@pytest.fixture
def watched(tmp_path: Path, a_log: ALog) -> Iterator[Watched]:
    made = Watched(tmp_path, Log(a_log.vkey, None, None))
    yield made
    made.state.close()


class Program:
    """`python -m witness` in a directory, with its configuration."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self.vkey = self.run("keygen", "--name", "witness.example/w", "--directory", str(directory)).strip()
        self.process: subprocess.Popen[str] | None = None
        self.log = directory / "log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self, text: str) -> None:
        """Write the configuration."""
        (self.directory / "witness.toml").write_text(f'listen = "127.0.0.1:{self.port}"\n{text}')

    def run(self, *arguments: str, status: int = 0) -> str:
        """One command to its end; returns what it says."""
        done = subprocess.run(self.command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "witness", *arguments]

    def start(self) -> None:
        """Run it until it listens."""
        config = str(self.directory / "witness.toml")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command("run", "--config", config), cwd=ROOT, stderr=log, text=True)
        assert wait_until(lambda: port_open(self.port), timeout_s=30)

    def kill(self) -> None:
        """As a power cut ends it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def end(self) -> int:
        """As systemd ends it; returns its status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=30)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[], Program]]:
    made: list[Program] = []

    def make() -> Program:
        made.append(Program(tmp_path / f"witness-{len(made)}"))
        return made[-1]

    yield make
    for each in made:
        each.kill()
