"""How many requests a client may send: a token bucket each (https://en.wikipedia.org/wiki/Token_bucket), in memory."""

import math
import threading
import time

from tpm.service.errors import RateLimitedError


class ClientRate:
    """Lets each client send `burst` requests at once, and `per_s` in a second in the long run."""

    def __init__(self, *, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._guard = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # by client: what was left, and when (monotonic)

    def take(self, client: str) -> None:
        """Count a request of this client, one of those allowed (so that there are few); raises RateLimitedError."""
        now = time.monotonic()
        with self._guard:
            left, at = self._buckets.get(client, (float(self._burst), now))
            left = min(float(self._burst), left + (now - at) * self._per_s)
            if left >= 1:
                self._buckets[client] = left - 1, now
                return
        wait_s = math.ceil((1 - left) / self._per_s)
        raise RateLimitedError(f"expected at most {self._per_s:g} requests a second", retry_after_s=wait_s)
