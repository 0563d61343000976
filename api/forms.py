"""The forms of identifiers, times and numbers that every door takes, and their limits."""

import re
from typing import Any

# OCPP 2.0.1 identifierString, beginning with a letter or digit so that it fits a path.
IDENTIFIER = r"[A-Za-z0-9][A-Za-z0-9*_=:+|@.\-]{0,35}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
METER_MAX_WH = 10**12
NUMBER_MAX = 2**31 - 1


def described(data: Any) -> str:
    """A foreign value as a message may quote it: short, control characters escaped."""
    if isinstance(data, (dict, list)):
        return "an object" if isinstance(data, dict) else "a list"
    if data is None or isinstance(data, bool):
        return str(data).lower().replace("none", "null")
    text = ascii(data) if isinstance(data, str) else f"{data:.6g}" if isinstance(data, float) else str(data)
    return text if len(text) <= 60 else text[:60] + "…"
