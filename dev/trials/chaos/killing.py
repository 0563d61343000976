"""`kill -9` of parts at random moments, in one of three manners; and what was left running afterwards."""

import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from tqdm import tqdm

from dev.common.processes import Child, ProcessError

MANNERS = ("whole", "parent", "child")
GONE_S = 10.0


class Killer:
    """Kills parts at random, and starts again what is not alive."""

    def __init__(self, parts: Mapping[str, Child], rng: random.Random) -> None:
        self.parts = dict(parts)
        self.kills: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()  # for themselves, untouched since their start
        self._killed = set(self.parts)
        self._rng = rng

    def alive(self) -> list[str]:
        return [name for name, part in self.parts.items() if part.alive]

    def kill_one(self) -> str:
        """SIGKILL one part that is alive (there must be one); returns which and how."""
        name = self._rng.choice(self.alive())
        part, manner = self.parts[name], self._rng.choice(MANNERS)
        victims = children(part.pid)
        if manner == "child" and victims:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self._rng.choice(victims), signal.SIGKILL)
        elif manner == "parent" and victims:
            os.kill(part.pid, signal.SIGKILL)
        else:
            manner = "whole"
            kill_whole(part)
        self._killed.add(name)  # of a child too: Celery ends when a process of its pool dies while it starts
        self.kills[f"{name} ({manner})"] += 1
        return f"{name} ({manner})"

    def kill(self, *names: str) -> None:
        """All of these, and all of their processes."""
        for name in names:
            self.parts[name].kill()
            self._killed.add(name)

    def revive(self) -> None:
        """Start what has ended: what we killed, and what then ended for itself."""
        for name, part in self.parts.items():
            if not part.alive:
                self.ended[name] += name not in self._killed
                self._killed.discard(name)
                try:
                    part.start()
                except ProcessError as error:  # tried again by the next call
                    self._killed.add(name)
                    tqdm.write(f"{name} did not start: {error}")


def kill_whole(part: Child) -> None:
    """SIGKILL all of its processes, also those that lead a process group of their own, as PostgreSQL's do."""
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(part.pid).children(recursive=True)
        part.kill()
        for process in below:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(below, GONE_S)


def children(pid: int) -> list[int]:
    """The pids of a process's children."""
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def left_running(directory: Path) -> list[psutil.Process]:
    """Processes whose environment or command line names this directory: only ours can."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            told = [*process.environ().values(), *process.cmdline()]
            if any(str(directory) in word for word in told) and process.pid != os.getpid():
                found.append(process)
    return found


def verdict(directory: Path, wrong: list[str], *, well: str, begun: float) -> int:
    """The exit status of a trial, with its last words: `well`, or what is `wrong`; then `directory` stays."""
    time.sleep(0.2)
    for process in left_running(directory):
        wrong.append(f"left running, ended now: {process}")
        process.kill()
    if wrong:
        print("\n".join(wrong), f"\nNOT WELL; the logs are in {directory}", sep="", file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    print(f"All is well: {well}, in {time.monotonic() - begun:.0f} s.")
    return 0
