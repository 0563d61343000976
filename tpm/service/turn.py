"""Taking turns at the TPM: one holder, and the clients that wait are served one after the other, a turn each.

However many requests one client sends, another's waits for the running turn and one turn of each other client.
Within a client it is first come first served; each has a bounded number of places, and each wait a deadline.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tpm.service.errors import QueueDeadlineError, QueueFullError

caller: ContextVar[str] = ContextVar("caller", default="")  # whose request this thread serves: set with its token


class Turn:
    """A lock that is fair between clients (a plain one is to nobody), and refuses who finds all their places taken."""

    def __init__(self, *, places: int, deadline_s: float) -> None:
        self.places = places  # for each client
        self.deadline_s = deadline_s
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: OrderedDict[str, deque[threading.Lock]] = OrderedDict()  # by client; the first is served next

    @property
    def waiting(self) -> int:
        """How many wait, of all clients."""
        with self._guard:
            return sum(len(queue) for queue in self._waiting.values())

    @contextmanager
    def hold(
        self, *, client: str | None = None, admitted: bool = False, deadline_s: float | None = None
    ) -> Iterator[None]:
        """Wait for the turn and hold it. One that is `admitted` already (a batch's next part) always finds a place.

        `client` is whose turn it is, when it is not `caller`'s. Raises QueueFullError at once when all places
        of the client are taken, QueueDeadlineError after `deadline_s` of waiting (when not given, that of all).
        """
        whose = caller.get() if client is None else client
        self._take(whose, admitted, self.deadline_s if deadline_s is None else deadline_s)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, client: str, admitted: bool, deadline_s: float) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            if len(self._waiting.get(client, ())) >= self.places and not admitted:
                raise QueueFullError(f"{self.places} requests of this client wait already")
            mine = threading.Lock()
            mine.acquire()
            self._waiting.setdefault(client, deque()).append(mine)
        if not mine.acquire(timeout=deadline_s):
            self._give_up(client, mine, deadline_s)

    def _give_up(self, client: str, mine: threading.Lock, deadline_s: float) -> None:
        with self._guard:
            queue = self._waiting.get(client, deque())
            if mine not in queue:  # the turn was passed to us between the timeout and here: keep it
                return
            queue.remove(mine)
            if not queue:
                del self._waiting[client]
        raise QueueDeadlineError(f"waited {deadline_s:g} s for the TPM in vain")

    def _pass_on(self) -> None:
        with self._guard:
            if not self._waiting:
                self._taken = False
                return
            client, queue = self._waiting.popitem(last=False)
            queue.popleft().release()
            if queue:
                self._waiting[client] = queue  # as the last
