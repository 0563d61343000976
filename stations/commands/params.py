"""PURE: what a parameter of a command may be, and whether one that somebody gave is so.

One description serves the REST API, the admin's forms, the table in docs/ocpp.md and the OpenAPI document.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from django.utils.translation import gettext as _

V16, V201, V21 = "1.6", "2.0.1", "2.1"
ALL, V2 = (V16, V201, V21), (V201, V21)
NUMBER_MAX = 2**31 - 1
LIST_MAX = 1000
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Type(Enum):
    """JSON's types, and what a text must be."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    CHOICE = "choice"
    MOMENT = "moment"  # RFC 3339 with offset; kept in UTC
    OBJECT = "object"
    TEXTS = "texts"
    CHOICES = "choices"
    INTEGERS = "integers"
    OBJECTS = "objects"


@dataclass(frozen=True)
class Choice:
    """A word that may be chosen, where these versions have something that it means."""

    value: str
    versions: tuple[str, ...] = ALL


@dataclass(frozen=True)
class Param:
    """`minimum`, `maximum`: of a number, of a text its length. `members`: of an object, or of each in a list.

    `secret`: sealed text that no page, log or answer shows.
    """

    name: str
    type: Type
    words: Any
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Choice, ...] = ()
    members: tuple["Param", ...] = ()
    versions: tuple[str, ...] = ALL
    lines: bool = False  # a text of several lines
    secret: bool = False

    def values(self, version: str = "") -> list[str]:
        """What may be chosen, in this version or in any."""
        return [choice.value for choice in self.choices if not version or version in choice.versions]


class ParamsWrong(Exception):
    """`errors`: the path of each parameter ("profile.periods.0.limit") and what is wrong with it, in English."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {words}" if path else words for path, words in errors.items()))
        self.errors = dict(errors)


def checked(params: tuple[Param, ...], given: Any, version: str = "") -> dict[str, Any]:
    """`given` as it is kept: moments in UTC, nothing unknown, absent what is null. Raises ParamsWrong.

    `version`: of the station's OCPP, "" where it is not known yet: then what any version has may be.
    """
    errors: dict[str, str] = {}
    found = _object(params, given, version, "", errors)
    if errors:
        raise ParamsWrong(errors)
    return found


def _object(params: tuple[Param, ...], given: Any, version: str, path: str, errors: dict[str, str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        errors[path] = _("expected an object, got %(got)s") % {"got": _said(given)}
        return {}
    known = {param.name: param for param in params}
    for name in given:
        if name not in known:
            only = _("expected only %(names)s") % {"names": ", ".join(known)} if known else _("expected no parameters")
            errors[_joined(path, str(name)[:40])] = only
    found = {}
    for param in params:
        value, at = given.get(param.name), _joined(path, param.name)
        if value is None:
            if param.required:
                errors[at] = _("is required")
        elif version and version not in param.versions:
            errors[at] = _("OCPP %(version)s has no such parameter") % {"version": version}
        else:
            found[param.name] = _value(param, value, version, at, errors)
    return found


def _value(param: Param, value: Any, version: str, path: str, errors: dict[str, str]) -> Any:
    if param.type is Type.OBJECT:
        return _object(param.members, value, version, path, errors)
    if param.type in _EACH:
        if not isinstance(value, list) or not 1 <= len(value) <= LIST_MAX:
            errors[path] = _("expected a list of 1 to %(most)d, got %(got)s") % {"most": LIST_MAX, "got": _said(value)}
            return []
        places = ((f"{path}.{number}", item) for number, item in enumerate(value))
        if param.type is Type.OBJECTS:
            return [_object(param.members, item, version, at, errors) for at, item in places]
        return [_noted(_EACH[param.type], param, item, version, at, errors) for at, item in places]
    return _noted(param.type, param, value, version, path, errors)


def _noted(kind: Type, param: Param, value: Any, version: str, path: str, errors: dict[str, str]) -> Any:
    try:
        return _SIMPLE[kind](param, value, version)
    except ValueError as error:
        errors[path] = str(error)
        return None


def _text(param: Param, value: Any, version: str) -> str:
    least, most = int(param.minimum or 0), int(param.maximum or 0)
    if not isinstance(value, str):
        raise ValueError(_("expected text, got %(got)s") % {"got": _said(value)})
    if UNPRINTABLE.search(value) or (not param.lines and ("\n" in value or "\r" in value)):
        raise ValueError(_("expected printable text"))
    if not least <= len(value) <= most:
        found = {"least": least, "most": most, "got": len(value)}
        raise ValueError(_("expected %(least)d to %(most)d characters, got %(got)d") % found)
    return value


def _integer(param: Param, value: Any, version: str) -> int:
    if type(value) is not int:
        raise ValueError(_("expected a whole number, got %(got)s") % {"got": _said(value)})
    _bounded(param, value)
    return value


def _number(param: Param, value: Any, version: str) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(_("expected a number, got %(got)s") % {"got": _said(value)})
    _bounded(param, value)
    return value


def _bounded(param: Param, value: float) -> None:
    least = -NUMBER_MAX if param.minimum is None else param.minimum
    most = NUMBER_MAX if param.maximum is None else param.maximum
    if not least <= value <= most:
        found = {"least": f"{least:.15g}", "most": f"{most:.15g}", "got": _said(value)}
        raise ValueError(_("expected %(least)s to %(most)s, got %(got)s") % found)


def _flag(param: Param, value: Any, version: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_("expected true or false, got %(got)s") % {"got": _said(value)})
    return value


def _choice(param: Param, value: Any, version: str) -> str:
    may = param.values(version)
    if not isinstance(value, str) or value not in may:
        found = {"names": ", ".join(may), "got": _said(value)}
        raise ValueError(_("expected one of %(names)s, got %(got)s") % found)
    return value


def _moment(param: Param, value: Any, version: str) -> str:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise ValueError(_("expected a time such as 2026-03-01T08:00:00Z, got %(got)s") % {"got": _said(value)})
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(_("expected a date and time that exist, got %(got)s") % {"got": _said(value)}) from error
    return moment_text(moment)


def moment_text(moment: datetime) -> str:
    """A moment as parameters and messages have it: UTC, whole seconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def params_of(params: tuple[Param, ...], version: str) -> tuple[Param, ...]:
    """Those that this version has; "" for all."""
    return tuple(param for param in params if not version or version in param.versions)


def walked(params: tuple[Param, ...], path: str = "") -> Iterator[tuple[str, Param]]:
    """Each parameter with its path; what is in an object or a list after it."""
    for param in params:
        at = _joined(path, param.name)
        yield at, param
        yield from walked(param.members, f"{at}[]" if param.type is Type.OBJECTS else at)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _said(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    text = ascii(value)
    return text if len(text) <= 60 else text[:60] + "…"


_EACH = {Type.TEXTS: Type.TEXT, Type.CHOICES: Type.CHOICE, Type.INTEGERS: Type.INTEGER, Type.OBJECTS: Type.OBJECT}
_SIMPLE = {
    Type.TEXT: _text,
    Type.INTEGER: _integer,
    Type.NUMBER: _number,
    Type.FLAG: _flag,
    Type.CHOICE: _choice,
    Type.MOMENT: _moment,
}
