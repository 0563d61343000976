"""OCPP 2.0.1 and 2.1: who handles what a station sends."""

from collections.abc import Mapping

from django.utils import timezone

from gateway.ocpp.handling import Answer, Call, Handler, ManyHandler, by_itself


def heartbeat(call: Call) -> Answer:
    """The time (2.0.1, G02)."""
    return Answer({"currentTime": timezone.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")})


HANDLERS_201: Mapping[str, Handler] = {"Heartbeat": heartbeat}
HANDLERS_21: Mapping[str, Handler] = {**HANDLERS_201}
MANY: Mapping[str, ManyHandler] = {"Heartbeat": by_itself(heartbeat)}
