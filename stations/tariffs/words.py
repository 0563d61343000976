"""Currencies as people choose them."""

from common.lists.forms import Choices, language
from common.lists.names import currency_name
from stations.tariffs.currencies import DIGITS


def currency_choices() -> Choices:
    """Currencies in which a price may be."""
    names = ((code, currency_name(code, language())) for code in DIGITS)
    return [(code, f"{code}, {name}" if name else code) for code, name in names]
