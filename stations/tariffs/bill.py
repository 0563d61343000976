"""PURE: what a charge costs so far, or how its cost came about, from the tariff that the session has kept.

A row may have been altered behind our back: then there is no bill, and the page still stands.
"""

from collections.abc import Iterable
from decimal import InvalidOperation
from typing import TYPE_CHECKING

from stations.tariffs import charged
from stations.tariffs.lines import Bill, bill_made
from stations.tariffs.pricing import session_cost_lines

if TYPE_CHECKING:
    from stations.models import ChargingSession, MeterValue

_NOT_A_TARIFF = (KeyError, TypeError, ValueError, InvalidOperation)


def bill_of(session: "ChargingSession") -> Bill | None:
    """The lines behind the cost of a finished session; None where no tariff explains it."""
    try:
        lines = session_cost_lines(session)
        return bill_made(lines, session.tariff, session.currency) if lines else None
    except (*_NOT_A_TARIFF, AttributeError):
        return None


def cost_so_far(
    session: "ChargingSession", energy_wh: int | None, values: Iterable["MeterValue"] = ()
) -> tuple[int, str] | None:
    """(minor units, currency) of a charge that goes on, if it had ended at the newest of its values; else None."""
    said = [(one.sampled_at, one.measurand, one.value, one.unit, one.phase) for one in values]
    cost = charged.cost_so_far(session, energy_wh, said)
    return (cost.minor, cost.currency) if cost else None
