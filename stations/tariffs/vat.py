"""PURE: how much VAT is in what charges cost, by rate, as a paper for the tax office says it.

Prices include VAT, so the gross amounts are exact and the net ones follow: rounded half up once for each rate of a
paper, not for each charge, and the VAT is the rest. So net and VAT add up to what is paid.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from stations.tariffs.engine import has_elements
from stations.tariffs.lines import total_minor, without_vat_minor
from stations.tariffs.pricing import session_cost_lines

if TYPE_CHECKING:
    from stations.models import ChargingSession


@dataclass(frozen=True, order=True)
class Rate:
    """What VAT a charge's tariff has. `percent` None: none applies; `known` False: there is no tariff to say so."""

    currency: str
    known: bool = False
    percent: Decimal | None = None


@dataclass(frozen=True)
class VatSum:
    """Minor units of the rate's currency; `net` and `vat` are None where the rate is not known."""

    rate: Rate
    gross: int
    net: int | None
    vat: int | None


def vat_sums(sessions: Iterable["ChargingSession"]) -> list[VatSum]:
    """The sums of those that have a cost, by currency and rate, unknown ones first."""
    gross: dict[Rate, int] = {}
    for session in sessions:
        for rate, amount in _amounts(session):
            gross[rate] = gross.get(rate, 0) + amount
    order = sorted(gross, key=lambda rate: (rate.currency, rate.known, rate.percent or Decimal(0)))
    return [_sum(rate, gross[rate]) for rate in order]


def _amounts(session: "ChargingSession") -> list[tuple[Rate, int]]:
    """What it cost, by rate: line by line where its lines are kept."""
    if session.cost_minor is None:
        return []
    if not has_elements(session.tariff):
        return [(rate_of(session), session.cost_minor)]
    try:
        lines = session_cost_lines(session)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):  # somebody has spoilt them
        lines = []
    if total_minor(lines) != session.cost_minor:
        return [(Rate(session.currency), session.cost_minor)]
    return [(Rate(session.currency, True, line.vat_percent), line.amount_minor) for line in lines]


def rate_of(session: "ChargingSession") -> Rate:
    """By the tariff that the session has kept; a row that was altered behind our back may have anything there."""
    tariff = session.tariff if isinstance(session.tariff, Mapping) else {}
    if not tariff.get("currency"):
        return Rate(session.currency)
    if tariff.get("vat_percent") is None:
        return Rate(session.currency, known=True)
    try:
        percent = Decimal(str(tariff["vat_percent"]))
    except InvalidOperation:
        return Rate(session.currency)
    return Rate(session.currency, True, percent) if percent.is_finite() and percent >= 0 else Rate(session.currency)


def _sum(rate: Rate, gross: int) -> VatSum:
    if not rate.known:
        return VatSum(rate, gross, None, None)
    net = without_vat_minor(gross, rate.percent)
    return VatSum(rate, gross, net, gross - net)
