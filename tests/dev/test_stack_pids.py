"""A pid file names the process that it was written for, and never another one."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack.pids import PidFile

LEADER = """
import os, sys, time
if os.fork() == 0:
    time.sleep(60)
print("forked", flush=True)
time.sleep(60)
"""


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a session with one more member, as gunicorn does with its worker."""
    process = subprocess.Popen([sys.executable, "-c", LEADER], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def members(session: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=,stat=", "-s", str(session)], capture_output=True, text=True, check=False)
    rows = [line.split() for line in found.stdout.splitlines()]
    return [int(pid) for pid, state in rows if not state.startswith("Z")]


def test_names_a_running_process_and_forgets_one_that_ended(tmp_path: Path, leader: subprocess.Popen[bytes]) -> None:
    file = PidFile(tmp_path / "part.pid")
    assert file.pid() is None
    file.write(leader.pid)
    assert file.pid() == leader.pid

    assert file.end(timeout_s=5)
    assert file.pid() is None
    assert leader.wait(5) == -signal.SIGTERM
    assert not file.path.exists()
    assert not file.end(timeout_s=5)


@pytest.mark.parametrize("field", ["start", "boot"])
def test_a_reused_pid_is_left_alone(tmp_path: Path, leader: subprocess.Popen[bytes], field: str) -> None:
    """The number belongs to somebody else now: another start, or another boot of the machine."""
    file = PidFile(tmp_path / "part.pid")
    file.write(leader.pid)
    pid, start, boot = file.path.read_text().split()
    wrong = {"start": f"{pid} {int(start) - 1} {boot}", "boot": f"{pid} {start} {boot[::-1]}"}
    file.path.write_text(wrong[field])

    assert file.pid() is None
    file.end_session(timeout_s=5)
    assert leader.poll() is None
    assert len(members(leader.pid)) == 2


def test_what_a_killed_leader_left_is_ended(tmp_path: Path, leader: subprocess.Popen[bytes]) -> None:
    file = PidFile(tmp_path / "part.pid")
    file.write(leader.pid)
    leader.kill()
    leader.wait()
    assert len(members(leader.pid)) == 1

    file.end_session(timeout_s=5)

    assert members(leader.pid) == []


@pytest.mark.parametrize("content", ["", "1", "nonsense a b", "1 2 3 4"])
def test_a_damaged_file_names_nobody(tmp_path: Path, content: str) -> None:
    file = PidFile(tmp_path / "part.pid")
    file.path.write_text(content)
    assert file.pid() is None
    file.end_session(timeout_s=1)
