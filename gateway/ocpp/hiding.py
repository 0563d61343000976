"""PURE: secrets that a station tells of itself are not kept in the log of messages.

OCPP makes AuthorizationKey and BasicAuthPassword write-only; stations tell them all the same, when they are asked for
all their keys. Such a frame is kept without the value, all others letter for letter.
"""

from typing import Any

import orjson

from gateway.ocpp.phrasing import NOT_SHOWN
from stations.commands.noting import SECRET

VALUES = frozenset({"value", "attributevalue", "actualvalue"})
UNREADABLE = "(not shown: it names a credential, and cannot be read)"


def secrets_hidden(text: str) -> str:
    """The frame as it may be kept."""
    lowered = text.lower()
    if not any(name in lowered for name in SECRET):
        return text
    try:
        said = orjson.loads(text)
    except ValueError:
        return UNREADABLE
    kept = _kept(said)
    return text if kept == said else orjson.dumps(kept).decode()


def _kept(value: Any, *, is_secret: bool = False) -> Any:
    if isinstance(value, list):
        return [_kept(one, is_secret=is_secret) for one in value]
    if not isinstance(value, dict):
        return value
    is_secret = is_secret or _names_secret(value)
    return {name: _kept_member(name.lower(), one, is_secret=is_secret) for name, one in value.items()}


def _kept_member(name: str, value: Any, *, is_secret: bool) -> Any:
    hides = name in SECRET or (is_secret and name in VALUES)
    return NOT_SHOWN if hides and not isinstance(value, list | dict) else _kept(value, is_secret=is_secret)


def _names_secret(one: dict[str, Any]) -> bool:
    variable = one.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else one.get("key")
    return str(name).lower() in SECRET
