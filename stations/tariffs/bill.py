"""PURE: what a charge costs so far, or how its cost came about, from the tariff that the session has kept.

A row may have been altered behind our back: then there is no bill, and the page still stands.
"""

from decimal import InvalidOperation
from typing import TYPE_CHECKING

from stations.tariffs.lines import Bill, bill_made
from stations.tariffs.pricing import cost_lines, session_cost_lines, total_minor

if TYPE_CHECKING:
    from stations.models import ChargingSession

_NOT_A_TARIFF = (KeyError, TypeError, ValueError, InvalidOperation)


def bill_of(session: "ChargingSession") -> Bill | None:
    """The lines behind the cost of a finished session; None where no tariff explains it."""
    try:
        lines = session_cost_lines(session)
        return bill_made(lines, session.tariff, session.currency) if lines else None
    except (*_NOT_A_TARIFF, AttributeError):
        return None


def cost_so_far(session: "ChargingSession", energy_wh: int | None) -> tuple[int, str] | None:
    """(minor units, currency) of a charge that goes on, if it ended now; None where that is not known."""
    if not session.tariff or energy_wh is None or energy_wh < 0:
        return None
    try:
        return total_minor(cost_lines(session.tariff, energy_wh=energy_wh)), str(session.tariff["currency"])
    except _NOT_A_TARIFF:
        return None
