"""How commands are said in this version."""

from collections.abc import Callable, Mapping
from typing import Any

from stations.models import Command

COMPOSERS: Mapping[str, Callable[[Command], tuple[str, dict[str, Any]]]] = {}


def outcome(command: Command, payload: dict[str, Any]) -> tuple[str, str]:
    """State and words for the station's answer."""
    return Command.State.ACCEPTED, str(payload.get("status", ""))


def took(command: Command, payload: dict[str, Any]) -> None:
    """What follows from the answer."""


def shown(command: Command, payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as the log may keep it: without secrets."""
    return payload
