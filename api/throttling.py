"""How often one caller may ask. The REST API says it in every answer: RateLimit-Limit, -Remaining, -Reset.

The headers are those of draft-ietf-httpapi-ratelimit-headers-03. Counted in Redis, in windows of one minute.
"""

import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.programs.authentication import grant_of
from common.throttling import UNCOUNTED, counted

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
        """The three headers of the draft, ready for the answer."""
        remaining = max(0, self.limit - self.used)
        named = {"Limit": self.limit, "Remaining": remaining, "Reset": self.reset_s}
        return {f"RateLimit-{name}": str(value) for name, value in named.items()}


class CountedThrottle(BaseThrottle):
    """So many requests a minute of each `caller`; None is not counted."""

    scope = ""

    def __init__(self) -> None:
        self.rate: Rate | None = None

    def limit(self) -> int:
        """How many requests a minute."""
        raise NotImplementedError

    def caller(self, request: Request) -> str | None:
        """Whose requests are counted together."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count it; refused when it is one too many. Where nobody can count, nothing is refused."""
        caller = self.caller(request)
        if caller is None:
            return True
        try:
            used, reset_s = counted(f"{self.scope}:{caller}", window_s=WINDOW_S)
        except UNCOUNTED as error:
            # Counting needs Redis, reading or recording does not: nothing is refused because the counter is away.
            log.warning("%s throttle off, cache unavailable: %s", self.scope, type(error).__name__)
            return True
        self.rate = Rate(self.limit(), used, reset_s)
        return used <= self.rate.limit

    def wait(self) -> float | None:
        """Seconds until the next window begins."""
        return self.rate.reset_s if self.rate else None


class CallerThrottle(CountedThrottle):
    """Each person and each program has a count of its own, whatever tokens it uses."""

    scope = "api"

    def limit(self) -> int:
        """Setting EVPORTAL_API_RATE_PER_MINUTE."""
        return int(settings.API_RATE_PER_MINUTE)

    def caller(self, request: Request) -> str | None:
        """The person's or the program's name in the grant."""
        return grant_of(request).name

    def allow_request(self, request: Request, view: Any) -> bool:
        """Also leaves the rate at the request, for the headers of the answer."""
        allowed = super().allow_request(request, view)
        if self.rate:
            request._request.api_rate = self.rate  # type: ignore[attr-defined]  # read by ApiView for the headers
        return allowed


class CostlyThrottle(CallerThrottle):
    """For what asks the nodes of the chain: a proof reads whole blocks."""

    scope = "costly"

    def limit(self) -> int:
        """Setting EVPORTAL_API_COSTLY_PER_MINUTE."""
        return int(settings.API_COSTLY_PER_MINUTE)
