"""PURE: OCPP-J's frames (OCPP 1.6-J section 4, OCPP 2.0.1 and 2.1 Part 4 section 4), read and written.

[2, id, action, payload] CALL        [3, id, payload] CALLRESULT      [4, id, code, description, details] CALLERROR
[5, id, code, description, details] CALLRESULTERROR (2.1)             [6, id, action, payload] SEND (2.1)
"""

from dataclasses import dataclass
from typing import Any

import orjson

CALL, RESULT, ERROR, RESULT_ERROR, SEND = 2, 3, 4, 5, 6
LENGTHS = {CALL: 4, RESULT: 3, ERROR: 5, RESULT_ERROR: 5, SEND: 4}
NO_ID = "-1"  # the id of an answer to what has none (Part 4, 4.2.3)
ID_MAX, ACTION_MAX = 36, 50
DEPTH_MAX = 32  # official schemas are at most 9 levels deep

# The codes of CALLERROR that a version has; what it lacks is said in the nearest of its own.
FORMATION_16 = {
    "FormatViolation": "FormationViolation",
    "RpcFrameworkError": "FormationViolation",
    "MessageTypeNotSupported": "ProtocolError",
}
DESCRIPTION_MAX = 255


@dataclass(frozen=True)
class Frame:
    """`action` and `payload` of a CALL or SEND; `payload` of a CALLRESULT; `code` and `description` of an error."""

    type: int
    id: str
    action: str = ""
    payload: Any = None
    code: str = ""
    description: str = ""


class FrameError(Exception):
    """What cannot be read; answered with a CALLERROR of `code`. `id`: what it said of itself, else NO_ID."""

    def __init__(self, code: str, description: str, id: str = NO_ID) -> None:
        super().__init__(description)
        self.code, self.description, self.id = code, description, id


def frame_read(text: str | bytes, *, is_21: bool) -> Frame:
    """The frame of a text; raises FrameError. SEND and CALLRESULTERROR are of 2.1 alone."""
    try:
        said = orjson.loads(text)
    except ValueError as error:  # also a depth that nobody needs
        raise FrameError("RpcFrameworkError", f"expected JSON: {error}") from error
    if not isinstance(said, list) or len(said) < 2:
        raise FrameError("RpcFrameworkError", "expected a JSON array [type, id, …]")
    kind, id = said[0], said[1]
    if not isinstance(id, str) or not 0 < len(id) <= ID_MAX or not id.isprintable():
        raise FrameError("RpcFrameworkError", f"expected an id of 1 to {ID_MAX} letters at the second place")
    known = LENGTHS if is_21 else {key: LENGTHS[key] for key in (CALL, RESULT, ERROR)}
    if isinstance(kind, bool) or kind not in known:
        raise FrameError("MessageTypeNotSupported", f"expected a message type of {sorted(known)}", id)
    if len(said) != known[kind] and not (kind in (ERROR, RESULT_ERROR) and len(said) in (3, 4)):
        raise FrameError("RpcFrameworkError", f"expected {known[kind]} elements, got {len(said)}", id)
    return _frame(kind, id, said, is_shallow=_openings(text) <= DEPTH_MAX)


def _openings(text: str | bytes) -> int:
    """How many lists and objects begin in it: a value cannot lie deeper."""
    return text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")


def _frame(kind: int, id: str, said: list[Any], *, is_shallow: bool) -> Frame:
    if kind in (ERROR, RESULT_ERROR):
        rest = [text if isinstance(text, str) else "" for text in said[2:4]]
        return Frame(kind, id, code=rest[0][:ACTION_MAX], description="".join(rest[1:])[:DESCRIPTION_MAX])
    action = said[2] if kind in (CALL, SEND) else ""
    if not isinstance(action, str) or len(action) > ACTION_MAX or not action.isprintable():
        raise FrameError("RpcFrameworkError", "expected the name of an action at the third place", id)
    payload = said[-1]
    if not isinstance(payload, dict):
        raise FrameError("FormatViolation", "expected an object as payload", id)
    if not is_shallow and not _shallow(payload, DEPTH_MAX):
        raise FrameError("FormatViolation", f"expected at most {DEPTH_MAX} levels of values in values", id)
    return Frame(kind, id, action=action, payload=payload)


def _shallow(value: Any, left: int) -> bool:
    """Whether it has at most so many levels."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left > 0 and all(_shallow(one, left - 1) for one in inner if isinstance(one, dict | list))


def call_text(id: str, action: str, payload: dict[str, Any]) -> str:
    """A CALL of ours; numbers as Python has them, so no Decimal."""
    return orjson.dumps([CALL, id, action, payload]).decode()


def result_text(id: str, payload: dict[str, Any]) -> str:
    return orjson.dumps([RESULT, id, payload]).decode()


def error_text(id: str, code: str, description: str, *, version: str, details: dict[str, Any] | None = None) -> str:
    """A CALLERROR with a code that this version knows (1.6 by its errata)."""
    code = FORMATION_16.get(code, code) if version == "1.6" else code
    return orjson.dumps([ERROR, id, code, description[:DESCRIPTION_MAX], details or {}]).decode()
