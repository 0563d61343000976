"""A part that ends is started again; ending its keeper, in whatever way, ends the part and its workers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack.keep import keeper_file, part_file
from dev.stack.layout import LOG, ROOT, RUN
from tests.waiting import until

NAME = f"sample-{os.getpid()}"
# a part with a worker that outlives it and, as gunicorn's, would hold the port
PART = """
import os, sys, time
worker = os.fork()
if worker == 0:
    time.sleep(60)
print(f"worker {worker}", flush=True)
time.sleep(60)
"""


@pytest.fixture
def keeper() -> Iterator[subprocess.Popen[bytes]]:
    RUN.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "dev.stack.keep", NAME, "--", sys.executable, "-c", PART]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL)
    until(lambda: len(workers()) == 1 and part_file(NAME).pid() is not None)
    yield process
    process.terminate()
    process.wait()
    part_file(NAME).end_session(timeout_s=5)
    for path in (LOG / f"{NAME}.log", part_file(NAME).path, keeper_file(NAME).path):
        path.unlink(missing_ok=True)


def workers() -> list[int]:
    """Every worker that the part ever had, as its log tells."""
    log = LOG / f"{NAME}.log"
    return [int(line.split()[1]) for line in log.read_text().splitlines()] if log.exists() else []


def gone(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def part_pid() -> int:
    pid = part_file(NAME).pid()
    assert pid is not None
    return pid


def test_a_killed_part_starts_again_without_its_old_workers(keeper: subprocess.Popen[bytes]) -> None:
    first = part_pid()
    os.kill(first, signal.SIGKILL)
    until(lambda: len(workers()) == 2)
    assert part_pid() != first
    assert gone(first)
    assert gone(workers()[0])
    assert not gone(workers()[1])
    assert keeper.poll() is None


def test_ending_the_keeper_ends_the_part(keeper: subprocess.Popen[bytes]) -> None:
    part = part_pid()
    keeper.terminate()
    assert keeper.wait(60) == 0
    assert gone(part)
    until(lambda: gone(workers()[0]))
    assert keeper_file(NAME).pid() is None
    assert part_file(NAME).pid() is None


def test_killing_the_keeper_ends_the_part(keeper: subprocess.Popen[bytes]) -> None:
    part = part_pid()
    keeper.kill()
    until(lambda: gone(part))
    part_file(NAME).end_session(timeout_s=5)  # what the next `make demo` does
    assert gone(workers()[0])
