"""What the server hands to the handlers of a version, and what they give back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from stations.charging.asides import Aside
from stations.models import Station

V16, V201, V21 = "1.6", "2.0.1", "2.1"


@dataclass(frozen=True)
class Call:
    """One CALL (2.1: also SEND) of a station, valid by the official schema of its version.

    `station`: the row as it was when it connected; what may have changed since is read anew. `payload`: as it came,
    names in camelCase, numbers as JSON has them. `at`: when it was received, UTC. `asides`: what was taken out of it
    because nobody understands it (gateway/ocpp/leniency.py), so that the rest was not lost.
    """

    station: Station
    version: str
    action: str
    payload: dict[str, Any]
    message_id: str
    at: datetime
    asides: Sequence[Aside] = ()


@dataclass
class Answer:
    """The payload of the CALLRESULT, valid by the schema; `session_id`: the charge that the message was about."""

    payload: dict[str, Any] = field(default_factory=dict)
    session_id: UUID | None = None


class CallRefused(Exception):
    """Answered with a CALLERROR; `code` is one of OCPP-J's (gateway/ocpp/frames.py says which)."""

    def __init__(self, code: str, description: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.code, self.description, self.details = code, description, details or {}


# It runs in a thread, inside one database transaction, which is committed before the answer leaves. What it raises
# takes everything back; a StationsError is answered with a CALLERROR and its words.
Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class ManyHandler:
    """Handles many calls of one action at once, in one transaction, with a number of queries that does not grow.

    `takes`: whether one is of the kind that can be handled so; it asks nothing of the database. `handle` gives an
    answer for each, in their order, or None for one that is to be handled alone, of which it stored nothing; where it
    raises, each is handled alone.
    """

    takes: Callable[[Call], bool]
    handle: Callable[[Sequence[Call]], Sequence[Answer | None]]

    def __call__(self, calls: Sequence[Call]) -> Sequence[Answer | None]:
        return self.handle(calls)


def whatever(call: Call) -> bool:
    """All of that action can be handled together."""
    return True


def by_itself(handler: Handler) -> ManyHandler:
    """For what asks next to nothing of the database: one after the other, in one transaction."""
    return ManyHandler(whatever, lambda calls: [handler(call) for call in calls])
