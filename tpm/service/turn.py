"""Taking turns at the TPM: one holder, a bounded number of waiters, first come first served, each with a deadline."""

import threading
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
    def hold(self, *, admitted: bool = False, deadline_s: float | None = None) -> Iterator[None]:
        """Wait for the turn and hold it. One that is `admitted` already (a batch's next part) always finds a place.

        Raises QueueFullError at once when all places are taken, QueueDeadlineError after `deadline_s` of waiting
        (when not given, that of all).
        """
        self._take(admitted, self.deadline_s if deadline_s is None else deadline_s)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, admitted: bool, deadline_s: float) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            if len(self._waiting) >= self.places and not admitted:
                raise QueueFullError(f"{self.places} requests wait already")
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if not mine.acquire(timeout=deadline_s):
            self._give_up(mine, deadline_s)

    def _give_up(self, mine: threading.Lock, deadline_s: float) -> None:
        with self._guard:
            if mine not in self._waiting:  # the turn was passed to us between the timeout and here: keep it
                return
            self._waiting.remove(mine)
        raise QueueDeadlineError(f"waited {deadline_s:g} s for the TPM in vain")

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
