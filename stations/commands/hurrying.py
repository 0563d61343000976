"""Tells the gateway by Redis that there is something for a station. Without Redis it looks itself, every second."""

import json

import redis
from django.conf import settings

from common.announce import hurrying
from common.redis_guard import guard

CHANNEL = "evportal:ocpp"


def hurry(station_pk: int, **more: object) -> None:
    """To all gateway processes: the one where the station is looks for its commands now."""
    with hurrying(f"a message for station {station_pk}"), guard.asking():
        _client().publish(CHANNEL, json.dumps({"station": station_pk, **more}))


def _client() -> redis.Redis:
    global _made
    if _made is None:
        _made = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    return _made


_made: redis.Redis | None = None
