"""How often a station may call."""

from rest_framework.request import Request

from api.throttling import CountedThrottle
from gateway.rest.authentication import StationCaller

A_MINUTE = 600


class StationThrottle(CountedThrottle):
    """Ten requests a second on average: a station that was offline may tell all it kept, a broken one is slowed."""

    scope = "station"

    def limit(self) -> int:
        """The same for every station."""
        return A_MINUTE

    def caller(self, request: Request) -> str | None:
        """The station, whatever its address."""
        assert isinstance(request.user, StationCaller), "IsStation comes before"
        return str(request.user.pk)
