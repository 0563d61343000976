"""From the event loop into threads and back: database work in groups, so that many stations share one commit."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from django.db import close_old_connections, connections

log = logging.getLogger(__name__)
J = TypeVar("J")
R = TypeVar("R")


class Lane(Generic[J, R]):
    """`work` takes up to `most` jobs at once, in one of `threads`, and gives an outcome for each, in their order.

    What comes while all threads are at work waits, and is taken together: the busier, the larger the groups.
    """

    def __init__(
        self, name: str, work: Callable[[Sequence[J]], Sequence[R | BaseException]], *, threads: int = 1, most: int = 1
    ) -> None:
        self.work, self.threads, self.most = work, threads, most
        self.waiting: deque[tuple[J, asyncio.Future[R]]] = deque()
        self.running = 0
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def do(self, job: J) -> R:
        """The outcome of a job; raises what came instead of one."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.waiting.append((job, future))
        if self.running < self.threads:
            self._start()
        return await future

    def _start(self) -> None:
        group = [self.waiting.popleft() for _ in range(min(self.most, len(self.waiting)))]
        self.running += 1
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self.pool, self._work, [job for job, _ in group])
        running.add_done_callback(lambda done: self._ended(group, done.result()))

    def _work(self, jobs: Sequence[J]) -> Sequence[R | BaseException]:
        close_old_connections()
        try:
            return self.work(jobs)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            return [error] * len(jobs)

    def _ended(self, group: list[tuple[J, "asyncio.Future[R]"]], outcomes: Sequence[R | BaseException]) -> None:
        self.running -= 1
        if self.waiting:
            self._start()
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def close(self) -> None:
        """Waits for what runs; each thread closes its database connections."""
        together = threading.Barrier(self.threads)  # so that no thread takes the turn of another
        for _ in range(self.threads):
            self.pool.submit(_leave, together)
        self.pool.shutdown()


def _leave(together: threading.Barrier) -> None:
    connections.close_all()
    together.wait()
