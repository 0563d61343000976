"""Keeps one part of the development stack running: `python -m dev.stack.keep NAME -- COMMAND…`.

honcho ends all processes when one of them ends. A stack that has to survive the restart of each part needs something
between honcho and the part: this. It starts the command again when it ends, at once at first and then ever more slowly,
writes its output to var/log/NAME.log and its pid to var/run/NAME.pid, and ends it when it is ended itself (also by
SIGKILL, through PR_SET_PDEATHSIG).
"""

import os
import signal
import sys
import time
from pathlib import Path

from dev.common.processes import Child, ProcessError
from dev.stack.layout import LOG, ROOT, RUN
from dev.stack.pids import PidFile

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
WELL_AFTER_S = 20.0  # a part that ran so long starts with the short pause again
STOP_TIMEOUT_S = 30.0
LOG_MAX_BYTES = 20 * 1024 * 1024


def part_file(name: str) -> PidFile:
    """Names the part itself."""
    return PidFile(RUN / f"{name}.pid")


def keeper_file(name: str) -> PidFile:
    """Names the keeper of a part."""
    return PidFile(RUN / f"{name}.keeper.pid")


def keep(name: str, command: list[str]) -> None:
    """Run the command again and again, until a signal raises SystemExit."""
    pause = FIRST_PAUSE_S
    while True:
        log = LOG / f"{name}.log"
        _rotate(log)
        child = Child(name, command, log=log, cwd=ROOT)
        started = time.monotonic()
        try:
            child.start()
            part_file(name).write(child.pid)
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        except ProcessError as error:
            print(error, flush=True)
        finally:
            child.stop(timeout_s=STOP_TIMEOUT_S)
            _end_group(child)
        pause = FIRST_PAUSE_S if time.monotonic() - started > WELL_AFTER_S else min(2 * pause, LONGEST_PAUSE_S)
        print(f"ended with status {child.returncode}, starts again in {pause:.1f} s; its log: {log}", flush=True)
        time.sleep(pause)


def _end_group(child: Child) -> None:
    """A killed gunicorn or celery leaves its workers, who would hold port and tasks; they are in its process group."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, ProcessError):
        return


def _end(*_: object) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # a second signal must not disturb the ending of the part
    sys.exit(0)


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))


def main(arguments: list[str]) -> int:
    if len(arguments) < 3 or arguments[1] != "--":
        print("usage: python -m dev.stack.keep NAME -- COMMAND [ARGUMENT…]", file=sys.stderr)
        return 2
    name, command = arguments[0], arguments[2:]
    keeper_file(name).write(os.getpid())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        keep(name, command)
    finally:
        part_file(name).path.unlink(missing_ok=True)
        keeper_file(name).path.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
