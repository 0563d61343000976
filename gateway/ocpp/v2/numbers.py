"""PURE: numbers as messages have them."""

from typing import Any

NUMBER_MAX = 2**31 - 1


def number_read(said: Any) -> int:
    """The number of an EVSE or a connector; 0 where there is none, and for what no outlet is called."""
    return said if isinstance(said, int) and 0 < said <= NUMBER_MAX else 0
