"""PURE: a frame as people and programs read it: its payload indented, every number as it came."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

PARTS = {2: ("CALL", 4), 3: ("CALLRESULT", 3), 4: ("CALLERROR", 5), 6: ("SEND", 4)}


def payload_text(text: str) -> str:
    """What the frame carries, indented; of an error code, words and details; what is no frame as it came."""
    frame = indented_json(text)
    if not isinstance(frame, list) or not frame:
        return text
    kind, *_ = frame
    if kind in PARTS and len(frame) == PARTS[kind][1]:
        return _plain(frame[2:] if kind == 4 else frame[-1])
    return _plain(frame)


def moment_exact(at: datetime) -> str:
    """In UTC to the millisecond: an answer comes within the second of its call."""
    moment = at.astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}"


def is_json(text: str) -> bool:
    """Whether it can stand in a JSON document as it is."""
    try:
        json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError):
        return False
    return True


def json_line(head: dict[str, Any], text: str) -> str:
    """One line of JSON: the head, and the message as it came, or as a text where it is no JSON."""
    if not is_json(text):
        return json.dumps({**head, "text": text}, ensure_ascii=False) + "\n"
    message = text.replace("\r", " ").replace("\n", " ")  # between its parts: in a text they are escaped
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "message": {message}}}\n'


_MARK = secrets.token_hex(8)  # around numbers, so that they leave as they came: 12.30 is not 12.3


def indented_json(text: str) -> Any:
    """What the text says as Python has it, its fractions kept as marked texts; None where it is no JSON."""
    try:
        return json.loads(text, parse_float=lambda said: f"{_MARK}{said}{_MARK}", parse_constant=_refused)
    except (ValueError, RecursionError):
        return None


def _plain(value: Any) -> str:
    made = json.dumps(value, ensure_ascii=False, indent=2)
    return made.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "")


def _refused(said: str) -> Any:
    raise ValueError(f"expected JSON, got {said}")
