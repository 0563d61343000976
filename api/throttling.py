"""How often one caller may ask, said in every answer: RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset.

The headers are those of draft-ietf-httpapi-ratelimit-headers-03. Counted in Redis, in windows of one minute.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.programs.authentication import grant_of

log = logging.getLogger(__name__)
WINDOW_S = 60


@dataclass(frozen=True)
class Rate:
    """What is left of this window after this request; `reset_s` is when the next one begins."""

    limit: int
    used: int
    reset_s: int

    @property
    def headers(self) -> dict[str, str]:
        remaining = max(0, self.limit - self.used)
        named = {"Limit": self.limit, "Remaining": remaining, "Reset": self.reset_s}
        return {f"RateLimit-{name}": str(value) for name, value in named.items()}


class CallerThrottle(BaseThrottle):
    """Each person and each program has a count of its own, whatever tokens it uses."""

    scope = "api"

    def __init__(self) -> None:
        self.rate: Rate | None = None

    def limit(self) -> int:
        return int(settings.API_RATE_PER_MINUTE)

    def allow_request(self, request: Request, view: Any) -> bool:
        window, passed = divmod(int(time.time()), WINDOW_S)
        try:
            used = _count(f"api_rate:{self.scope}:{grant_of(request).name}:{window}")
        except (RedisError, OSError) as error:
            # Counting needs Redis, reading one's sessions does not: nothing is refused because the counter is away.
            log.warning("API throttle off, cache unavailable: %s", type(error).__name__)
            return True
        self.rate = Rate(self.limit(), used, WINDOW_S - passed)
        request._request.api_rate = self.rate  # type: ignore[attr-defined]  # read by ApiView for the headers
        return used <= self.rate.limit

    def wait(self) -> float | None:
        return self.rate.reset_s if self.rate else None


class CostlyThrottle(CallerThrottle):
    """For what asks the nodes of the chain: a proof reads whole blocks."""

    scope = "costly"

    def limit(self) -> int:
        return int(settings.API_COSTLY_PER_MINUTE)


def _count(key: str) -> int:
    if cache.add(key, 1, timeout=2 * WINDOW_S):
        return 1
    try:
        return cache.incr(key)
    except ValueError:  # it ended between the two
        return 1
