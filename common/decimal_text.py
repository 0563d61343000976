"""Exact decimal numbers as text."""

from decimal import Decimal


def decimal_text(value: Decimal) -> str:
    """The one way in which a snapshot writes a number: Decimal("0.2500") -> "0.25"."""
    return f"{value.normalize() + 0:f}"
