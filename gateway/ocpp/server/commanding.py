"""Commands on their way to a station: taken from the database, composed, sent, and what became of them kept.

Each step is a transaction of its own, before the next begins: a gateway that is killed leaves a command WAITING, or
SENT, never one that was sent and nobody knows of.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from gateway.ocpp import frames
from gateway.ocpp.composing import Unsupported
from gateway.ocpp.frames import Frame
from gateway.ocpp.schemas import violation
from gateway.ocpp.server.answering import OUT
from gateway.ocpp.server.log import Logged, logged_write
from gateway.ocpp.server.versions import COMPOSING
from stations.commands.sweeping import commands_end
from stations.models import Command, OcppMessage
from stations.signals import commands_finished

log = logging.getLogger(__name__)
State = Command.State
LATE_MAX_S = 3600


@dataclass(frozen=True)
class Taken:
    """A command that is SENT as far as the database knows, with the text of its CALL."""

    command: Command
    message_id: str
    text: str


def waiting_stations() -> list[int]:
    """Stations for which something waits that is still wanted."""
    rows = Command.objects.filter(state=State.WAITING, valid_until__gt=timezone.now())
    return list(rows.order_by("station_id").values_list("station_id", flat=True).distinct())


def command_take(station_pk: int, version: str) -> Taken | None:
    """The oldest command that waits for this station, ready to be sent; None where none does.

    One that its version does not know is UNSUPPORTED, and the next is taken.
    """
    while True:
        with transaction.atomic():
            rows = Command.objects.filter(station_id=station_pk, state=State.WAITING, valid_until__gt=timezone.now())
            command = rows.select_related("station__site", "session").order_by("id").first()
            if command is None:
                return None
            taken = _taken(command, version)
        if taken is not None:
            return taken


def _taken(command: Command, version: str) -> Taken | None:
    try:
        action, payload = _composed(command, version)
    except Unsupported as error:
        if _claim(command, state=State.UNSUPPORTED, words=str(error)[:500], answered_at=timezone.now()):
            commands_finished.send(sender=Command, commands=[command])
        return None
    message_id = str(uuid.uuid4())
    if not _claim(command, state=State.SENT, sent_at=timezone.now(), action=action, message_id=message_id):
        return None  # cancelled, or another process was first
    text = frames.call_text(message_id, action, payload)
    kept = frames.call_text(message_id, action, COMPOSING[version].shown(command, payload))
    session = command.session_id
    logged_write(
        [
            Logged(
                command.station_id, timezone.now(), OUT, OcppMessage.Kind.CALL.value, kept, action, message_id, session
            )
        ]
    )
    return Taken(command, message_id, text)


def _composed(command: Command, version: str) -> tuple[str, dict[str, Any]]:
    composer = COMPOSING[version].COMPOSERS.get(command.kind)
    if composer is None:
        raise Unsupported(f"OCPP {version} has no such command")
    try:
        action, payload = composer(command)
    except (KeyError, TypeError, ValueError) as error:  # or the station's later commands would wait behind it
        log.exception("%s cannot be composed for %s", command.kind, command.station)
        raise Unsupported(f"its parameters cannot be said in OCPP {version}: {error!r}") from error
    if broken := violation(version, action, payload):
        raise Unsupported(f"it cannot be said in OCPP {version}: {broken.words}")
    return action, payload


def _claim(command: Command, **values: Any) -> bool:
    for name, value in values.items():
        setattr(command, name, value)
    return bool(Command.objects.filter(pk=command.pk, state=State.WAITING).update(**values))


def command_answered(command_pk: int, version: str, frame: Frame) -> None:
    """The station has answered: the outcome, and what follows from it, in one transaction."""
    with transaction.atomic():
        rows = Command.objects.select_for_update(of=("self",), no_key=True).select_related("station__site", "session")
        command = rows.get(pk=command_pk)
        if command.state not in (State.SENT, State.TIMED_OUT):
            return
        if frame.type == frames.RESULT:
            state, words = _outcome(command, version, frame.payload)
            command.answer = frame.payload
        else:
            unknown = frame.code in ("NotImplemented", "NotSupported")
            state = State.UNSUPPORTED if unknown else State.REFUSED
            words = f"{frame.code}: {frame.description}"
        command.state, command.words, command.answered_at = state, words[:500], timezone.now()
        command.save(update_fields=["state", "words", "answered_at", "answer"])
        if frame.type == frames.RESULT:
            COMPOSING[version].took(command, frame.payload)
        commands_finished.send(sender=Command, commands=[command])


def _outcome(command: Command, version: str, payload: dict[str, Any]) -> tuple[str, str]:
    if broken := violation(version, command.action, payload, answer=True):
        return State.REFUSED, f"an answer that OCPP does not know: {broken.words}"
    state, words = COMPOSING[version].outcome(command, payload)
    return state, words


def command_timed_out(command_pk: int, words: str) -> None:
    """Nobody answered in time; should the answer come after all, it is taken."""
    commands_end(Command.objects.filter(pk=command_pk, state=State.SENT), state=State.TIMED_OUT, words=words)


def late_command(station_pk: int, message_id: str) -> int | None:
    """The command that an answer is to which came when nobody waited any more."""
    rows = Command.objects.filter(station_id=station_pk, message_id=message_id, state__in=(State.SENT, State.TIMED_OUT))
    return rows.values_list("pk", flat=True).first()


def run_each(calls: Sequence[Any]) -> list[Any]:
    """For a lane of steps: each is a function without arguments."""
    outcomes: list[Any] = []
    for call in calls:
        try:
            outcomes.append(call())
        except Exception as error:  # noqa: BLE001 - whoever waits for it hears of it
            outcomes.append(error)
    return outcomes
