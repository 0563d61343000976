"""gunicorn's threaded worker, whose threads stay with a connection for a moment after each answer.

gunicorn gives every request of a kept connection to a thread anew and takes it back afterwards: two changes between
threads, each of which waits for Python's lock. That took more of a signature's time than the rest of HTTP.
"""

import select
import threading
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

LINGER_MS = 20  # for a client that sends one request after the other; less often, the poller does as well
LINGERING = 16  # threads that may stay with a connection; the others go round between all connections


class LingeringWorker(ThreadWorker):  # type: ignore[misc]
    """Handles the next request of a connection in the same thread when it comes soon."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lingering = threading.BoundedSemaphore(LINGERING)

    def handle(self, conn: Any) -> Any:
        """Handle a request, or several in a row; returns what ThreadWorker.handle does for the last of them."""
        kept = super().handle(conn)
        if kept is not True or not self._lingering.acquire(blocking=False):
            return kept
        try:
            while kept is True and self.alive and _readable(conn):
                kept = super().handle(conn)
            return kept
        finally:
            self._lingering.release()


def _readable(conn: Any) -> bool:
    """Wait for a next request; one that gunicorn has read ahead is its own to deal with."""
    if conn.parser.unreader.buf.getvalue():
        return False
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(LINGER_MS))
