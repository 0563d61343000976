"""From the event loop into threads and back: database work in groups, so that many stations share one commit."""

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from django.db import close_old_connections, connections

log = logging.getLogger(__name__)
J = TypeVar("J")
R = TypeVar("R")
REST_MAX_S, LARGE = 0.1, 32


class Lane(Generic[J, R]):
    """`work` takes up to `most` jobs at once, in one of `threads`, and gives an outcome for each, in their order.

    What comes while all threads are at work waits, and is taken together: the busier, the larger the groups. `kind`:
    only jobs that are alike by it are taken together, those first of which one has waited longest. Of each kind there
    is one group at a time, a second while many wait; and after a small one it rests, at most as long as that took: what
    costs much a group is then said by more at once, and where little is said nobody waits.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[J]], Sequence[R | BaseException]],
        *,
        threads: int = 1,
        most: int = 1,
        kind: Callable[[J], Hashable] | None = None,
    ) -> None:
        self.work, self.threads, self.most, self.kind = work, threads, most, kind
        self.waiting: dict[Hashable, deque[tuple[J, asyncio.Future[R]]]] = {}  # by kind, in the order of the oldest
        self.at_work: Counter[Hashable] = Counter()  # groups, by kind
        self.resting: Counter[Hashable] = Counter()
        self.running = 0
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def do(self, job: J) -> R:
        """The outcome of a job; raises what came instead of one."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(self.kind(job) if self.kind else None, deque()).append((job, future))
        self._start()
        return await future

    def _start(self) -> None:
        while self.running < self.threads:
            kind = next(filter(self._may_start, self.waiting), self)
            if kind is self:
                return
            self._take(kind)

    def _may_start(self, kind: Hashable) -> bool:
        if self.kind is None:
            return True
        return not self.resting[kind] and (not self.at_work[kind] or len(self.waiting[kind]) >= LARGE)

    def _take(self, kind: Hashable) -> None:
        jobs = self.waiting.pop(kind)
        group = [jobs.popleft() for _ in range(min(self.most, len(jobs)))]
        if jobs:
            self.waiting[kind] = jobs
        self.running += 1
        self.at_work[kind] += 1
        loop = asyncio.get_running_loop()
        begun = time.monotonic()
        running = loop.run_in_executor(self.pool, self._work, [job for job, _ in group])
        running.add_done_callback(lambda done: self._ended(kind, group, done.result(), begun))

    def _work(self, jobs: Sequence[J]) -> Sequence[R | BaseException]:
        close_old_connections()
        try:
            return self.work(jobs)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            return [error] * len(jobs)

    def _ended(
        self,
        kind: Hashable,
        group: list[tuple[J, "asyncio.Future[R]"]],
        outcomes: Sequence[R | BaseException],
        begun: float,
    ) -> None:
        self.running -= 1
        self.at_work[kind] -= 1
        if self.kind:
            self.resting[kind] += 1
            took_s = min(time.monotonic() - begun, REST_MAX_S)
            rest_s = took_s * max(0.0, 1 - len(group) / LARGE)
            asyncio.get_running_loop().call_later(rest_s, self._rested, kind)
        self._start()
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _rested(self, kind: Hashable) -> None:
        self.resting[kind] -= 1
        self._start()

    def close(self) -> None:
        """Waits for what runs; each thread closes its database connections."""
        together = threading.Barrier(self.threads)  # so that no thread takes the turn of another
        for _ in range(self.threads):
            self.pool.submit(_leave, together)
        self.pool.shutdown()


def _leave(together: threading.Barrier) -> None:
    connections.close_all()
    together.wait()
