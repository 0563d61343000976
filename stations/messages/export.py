"""Messages as files, streamed in parts: JSON lines and CSV, the newest first."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from typing import Any

from common.csv_files import csv_lines
from stations.messages.search import Choice, chunks
from stations.messages.words import json_line
from stations.models import OcppMessage

EXPORT_MAX = 100_000
AT_ONCE = 1000
COLUMNS = ("id", "at", "station", "direction", "kind", "action", "message_id", "session", "text")
Noting = Callable[[Sequence[OcppMessage]], None]


def head_of(message: OcppMessage) -> dict[str, Any]:
    """All of it but the text; times in UTC."""
    return {
        "id": message.pk,
        "at": message.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "station": message.station.identity,
        "direction": message.direction,
        "kind": message.kind,
        "action": message.action,
        "message_id": message.message_id,
        "session": str(message.session_id) if message.session_id else None,
    }


class _Walk:
    """Goes through what was chosen; `go_on`: the id before which there is more than EXPORT_MAX, once it has ended."""

    def __init__(self, choice: Choice, note: Noting, before: int | None) -> None:
        self.choice, self.note, self.before = choice, note, before
        self.go_on: int | None = None

    def __iter__(self) -> Iterator[OcppMessage]:
        count = 0
        for rows in chunks(self.choice, size=AT_ONCE, most=EXPORT_MAX, before=self.before):
            self.note(rows)  # what cannot be noted is not shown
            yield from rows
            count += len(rows)
            last = rows[-1].pk
        if count == EXPORT_MAX and self.choice.rows.filter(pk__lt=last).exists():
            self.go_on = last


def json_lines(choice: Choice, note: Noting, before: int | None = None) -> Iterator[str]:
    """A line a message. The last line says where to go on, where EXPORT_MAX were not all."""
    walk = _Walk(choice, note, before)
    for message in walk:
        yield json_line(head_of(message), message.text)
    if walk.go_on is not None:
        yield json.dumps({"more": True, "before": walk.go_on}) + "\n"


def table_lines(choice: Choice, note: Noting, before: int | None = None) -> Iterator[str]:
    """The same as CSV in the reader's marks."""
    return csv_lines(COLUMNS, _cells(_Walk(choice, note, before)))


def _cells(walk: _Walk) -> Iterator[Sequence[Any]]:
    for message in walk:
        yield (*head_of(message).values(), message.text)
    if walk.go_on is not None:
        yield ("more", "", "", "", "", "", "", "", f"before={walk.go_on}")
