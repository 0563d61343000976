"""PURE: ISO 4217 as its maintenance agency (SIX) lists it: which currencies there are, and how many digits each has.

The list comes with the package iso4217, whose version ends with the list's date (constraints.txt; `PUBLISHED`). To
renew it: take the package's next version, and let tests/stations/test_currencies.py say what has changed.
"""

from iso4217 import __published__ as PUBLISHED
from iso4217 import raw_table

__all__ = ["DIGITS", "PUBLISHED", "is_currency", "minor_digits"]

# Of each currency and funds code with a minor unit, how many digits it has after the point. Those without one
# ("N.A.": gold, special drawing rights, bond units, XTS, XXX) are no currency in which a driver could pay.
_UNITS = {str(code): str(row["CcyMnrUnts"]) for code, row in raw_table.items()}
DIGITS = {code: int(units) for code, units in sorted(_UNITS.items()) if units.isdigit()}


def is_currency(code: str) -> bool:
    """Whether a price may be in it: "EUR", "DJF", "CHE"; not "XXX", "BTC", "eur"."""
    return code in DIGITS


def minor_digits(currency: str) -> int:
    """How many digits the currency has after the point; 2 where the list has it no more ("HRK"), or never had it."""
    return DIGITS.get(currency, 2)
