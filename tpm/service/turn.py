"""Taking turns at the TPM: one holder, a bounded number of waiters, first come first served, each with a deadline."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tpm.service.errors import QueueDeadlineError, QueueFullError


class Turn:
    """A lock that is fair (a plain one is not), knows how many wait, and refuses more than `places` of them."""

    def __init__(self, *, places: int, deadline_s: float) -> None:
        self.places = places
        self.deadline_s = deadline_s
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def hold(self, *, admitted: bool = False) -> Iterator[None]:
        """Wait for the turn and hold it. One that is `admitted` already (a batch's next part) always finds a place.

        Raises QueueFullError at once when all places are taken, QueueDeadlineError after `deadline_s` of waiting.
        """
        self._take(admitted)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, admitted: bool) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            if len(self._waiting) >= self.places and not admitted:
                raise QueueFullError(f"{self.places} requests wait already")
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        started = time.monotonic()
        if not mine.acquire(timeout=self.deadline_s):
            self._give_up(mine, time.monotonic() - started)

    def _give_up(self, mine: threading.Lock, waited_s: float) -> None:
        with self._guard:
            if mine not in self._waiting:  # the turn was passed to us between the timeout and here: keep it
                return
            self._waiting.remove(mine)
        raise QueueDeadlineError(f"waited {waited_s:.1f} s, allowed are {self.deadline_s:g} s")

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
