"""Waiting in tests: until something is true, not for a time. How long things take is for the bench (bench/) to say."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 60.0  # on a machine where everything else runs too
POLL_S = 0.02
T = TypeVar("T")


def until(check: Callable[[], T], *, but: tuple[type[Exception], ...] = (), what: str = "it was so") -> T:
    """Return what the check says as soon as that is true; `but` names the errors that may come before."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if found := check():
                return found
        except but:
            pass
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:g} s in vain until {what}"
        time.sleep(POLL_S)
