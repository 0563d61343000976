"""The log of messages: rows of OcppMessage, many at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stations.models import OcppMessage

TEXT_MAX = 65_536  # of one row; what is longer is cut, and says so
CUT = "… (cut)"


@dataclass(slots=True)
class Logged:
    """One frame; `action` of an answer is that of its question."""

    station_pk: int
    at: datetime
    direction: str
    kind: str
    text: str
    action: str = ""
    message_id: str = ""
    session_id: UUID | None = None


def logged_write(frames: Iterable[Logged]) -> None:
    """Rows for these frames, in their order, with one statement a few hundred."""
    OcppMessage.objects.bulk_create(
        OcppMessage(
            station_id=frame.station_pk,
            at=frame.at,
            direction=frame.direction,
            kind=frame.kind,
            action=frame.action,
            message_id=frame.message_id,
            session_id=frame.session_id,
            text=storable(frame.text),
        )
        for frame in frames
    )


def write_group(frames: Sequence[Logged]) -> list[None]:
    """For a lane."""
    logged_write(frames)
    return [None] * len(frames)


def storable(text: str) -> str:
    """As it came, but for NUL, which no database keeps in a text, and what is longer than anybody reads."""
    text = text.replace("\x00", "␀")
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - len(CUT)] + CUT
