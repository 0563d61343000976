"""The log of messages: rows of OcppMessage, many at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.database.inserting import columns_insert
from gateway.ocpp.hiding import secrets_hidden
from stations.models import OcppMessage

TEXT_MAX = 65_536  # of one row; what is longer is cut, and says so
CUT = "… (cut)"
COLUMNS = ("station_id", "at", "direction", "kind", "action", "message_id", "session_id")


@dataclass(slots=True)
class Logged:
    """One frame; `action` of an answer is that of its question."""

    station_id: int
    at: datetime
    direction: str
    kind: str
    text: str
    action: str = ""
    message_id: str = ""
    session_id: UUID | None = None


def logged_write(frames: Iterable[Logged]) -> None:
    """Rows for these frames, in their order, at once."""
    rows = list(frames)
    if not rows:
        return
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    columns_insert(OcppMessage, columns | {"text": [storable(row.text) for row in rows]})


def write_group(frames: Sequence[Logged]) -> list[None]:
    """For a lane."""
    logged_write(frames)
    return [None] * len(frames)


def storable(text: str) -> str:
    """As it came, but for secrets, NUL, which no database keeps in a text, and what is longer than anybody reads."""
    text = secrets_hidden(text).replace("\x00", "␀")
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - len(CUT)] + CUT
