"""How often a station may call."""

import logging

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from gateway.rest.authentication import StationCaller

log = logging.getLogger(__name__)


class StationThrottle(SimpleRateThrottle):
    """Ten requests a second on average: a station that was offline may tell all it kept, a broken one is slowed."""

    scope = "station"
    rate = "600/min"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        assert isinstance(request.user, StationCaller), "IsStation comes before"
        return f"throttle_station_{request.user.pk}"

    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except (RedisError, OSError) as error:
            # Counting needs Redis, the record of a charge does not: nothing is refused because the counter is away.
            log.warning("station throttle off, cache unavailable: %s", type(error).__name__)
            return True
