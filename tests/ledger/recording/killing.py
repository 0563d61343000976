"""Killing a process at each of its steps: `work` runs in a child that ends itself with SIGKILL at the n-th step."""

import itertools
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.db import connections

from ledger.keys import data_keys, vault
from ledger.signing import signer
from tpm.client import TpmClient

# After each of these: what reaches the disk (the new file, then its name), the database or the TPM.
STEPS: tuple[tuple[Any, str], ...] = (
    (os, "fsync"),
    (data_keys, "_rewrap_some"),
    (TpmClient, "seal"),
    (TpmClient, "sealed_delete"),
)


def forked(work: Callable[[], object]) -> int:
    """Start `work` in a child process with connections of its own; returns its pid. It ends with status 0, or 1."""
    connections.close_all()
    with warnings.catch_warnings():
        # Python 3.12 warns of other threads, whose locks nobody releases in the child; `work` waits for none of them
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    try:
        signer._signer.cache_clear()  # its connections are the parent's
        vault._opened.clear()
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it is, this child must not go on as a second pytest
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def ended_well(pid: int) -> bool:
    """Wait for a child; False where it was killed. Raises AssertionError where it failed."""
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, f"the child failed: status {status}"
    return not killed


def killed_at_each_step(work: Callable[[], object]) -> Iterator[int]:
    """Run `work` again and again, killed one step later each time; yields the number of the step after each kill.

    What the caller does then must bring back the state that `work` begins with.
    """
    for step in itertools.count(1):
        if ended_well(forked(partial(_with_death_at, step, work))):
            assert step > 4, "it did next to nothing"
            return
        yield step


def _with_death_at(last: int, work: Callable[[], object]) -> None:
    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepping(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            step()
            return result

        return call

    for owner, name in STEPS:
        setattr(owner, name, stepping(getattr(owner, name)))
    work()
