"""A child process is started, waited for, stopped and killed by its own pid, and does not outlive its parent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.common.processes import Child, ProcessError, free_port, port_open
from tests.waiting import until

SERVER = "import http.server,sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), None).serve_forever()"
STUBBORN = "import signal,time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def child(tmp_path: Path, code: str, *arguments: str) -> Child:
    return Child("sample", [sys.executable, "-c", code, *arguments], log=tmp_path / "log" / "sample.log")


def gone(pid: int) -> bool:
    """True when no process has this pid, or only its zombie is left for init to collect."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_starts_becomes_ready_and_stops(tmp_path: Path) -> None:
    port = free_port()
    server = child(tmp_path, SERVER, str(port))
    assert not port_open(port)
    server.start()
    server.wait_ready(lambda: port_open(port), timeout_s=60)
    pid = server.pid
    assert server.alive
    assert os.getsid(pid) == pid

    server.stop()
    server.stop()
    assert not server.alive
    assert gone(pid)

    server.start()
    server.wait_ready(lambda: port_open(port), timeout_s=60)
    assert server.pid != pid
    server.kill()
    assert not server.alive


def test_second_start_is_refused(tmp_path: Path) -> None:
    sleeper = child(tmp_path, "import time; time.sleep(60)")
    sleeper.start()
    with pytest.raises(ProcessError, match="already running"):
        sleeper.start()
    sleeper.kill()


def test_one_that_ends_early_shows_its_last_words(tmp_path: Path) -> None:
    broken = child(tmp_path, "import sys; print('no such disk'); sys.exit(3)")
    broken.start()
    with pytest.raises(ProcessError, match=r"status 3 before(?s:.)*no such disk"):
        broken.wait_ready(lambda: False, timeout_s=60)


def test_one_that_is_never_ready_is_reported(tmp_path: Path) -> None:
    sleeper = child(tmp_path, "import time; time.sleep(60)")
    sleeper.start()
    with pytest.raises(ProcessError, match=r"not ready after 0\.1 s"):
        sleeper.wait_ready(lambda: False, timeout_s=0.1)
    sleeper.kill()


def test_one_that_is_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = child(tmp_path, STUBBORN)
    deaf.start()
    deaf.wait_ready(lambda: "deaf" in deaf.log_tail(), timeout_s=60)
    deaf.stop(timeout_s=0.1)
    assert not deaf.alive


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    missing = Child("missing", ["/no/such/program"], log=tmp_path / "log")
    with pytest.raises(ProcessError, match="program not found: /no/such/program"):
        missing.start()
    with pytest.raises(ProcessError, match="not started"):
        _ = missing.pid


def test_it_dies_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys,time; from pathlib import Path; from dev.common.processes import Child\n"
        "c = Child('x', [sys.executable, '-c', 'import time; time.sleep(60)'], log=Path(sys.argv[1]))\n"
        "c.start(); print(c.pid, flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "log")]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    # the child asks for the death signal itself, just before it becomes the program that was wanted
    wanted = f"{sys.executable}\0-c\0import time; time.sleep(60)\0"
    until(lambda: Path(f"/proc/{pid}/cmdline").read_text() == wanted)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: gone(pid))
