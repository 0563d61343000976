"""PURE: what is of interest in the status that a witness of ours answers, whatever it is."""

from collections.abc import Iterator
from typing import Any

NOTES_MAX = 50


def notes_of(status: Any) -> list[str]:
    """The checkpoints in a witness's status, in whatever it answers."""
    return [text for text in _texts(status) if isinstance(text, str)][:NOTES_MAX]


def _texts(status: Any) -> Iterator[Any]:
    for log in _list(status, "logs"):
        if isinstance(log, dict):
            yield log.get("checkpoint")
        for evidence in _list(log, "evidence"):
            yield from _list(evidence, "notes")


def _list(holder: Any, name: str) -> list[Any]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []
