"""Figures as the reader's language writes them."""

from decimal import Decimal
from functools import cache

from django.utils.formats import get_format
from django.utils.translation import get_language


def number(value: Decimal | int, decimals: int | None = None) -> str:
    """Digits in groups, as the reader's language writes them: 1234567 -> "1,234,567" (German "1.234.567")."""
    text = f"{value:,}" if decimals is None else f"{value:,.{decimals}f}"
    return text.translate(_marks(get_language() or "en"))


@cache
def _marks(language: str) -> dict[int, str]:
    """Python's own marks, as that language has them; lists ask for them a hundred times."""
    return {ord(","): get_format("THOUSAND_SEPARATOR", language), ord("."): get_format("DECIMAL_SEPARATOR", language)}
