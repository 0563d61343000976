"""OCPP 1.6: who handles what a station sends."""

from collections.abc import Mapping

from django.utils import timezone

from gateway.ocpp.handling import Answer, Call, Handler, ManyHandler, by_itself


def heartbeat(call: Call) -> Answer:
    """The time (1.6, 4.6)."""
    return Answer({"currentTime": timezone.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")})


HANDLERS: Mapping[str, Handler] = {"Heartbeat": heartbeat}
MANY: Mapping[str, ManyHandler] = {"Heartbeat": by_itself(heartbeat)}
