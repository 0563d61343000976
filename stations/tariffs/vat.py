"""PURE: how much VAT is in what charges cost, by rate, as a paper for the tax office says it.

Prices include VAT, so the gross amounts are exact and the net ones follow: rounded half up once for each rate of a
paper, not for each charge, and the VAT is the rest. So net and VAT add up to what is paid.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING

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
        if session.cost_minor is not None:
            rate = rate_of(session)
            gross[rate] = gross.get(rate, 0) + session.cost_minor
    order = sorted(gross, key=lambda rate: (rate.currency, rate.known, rate.percent or Decimal(0)))
    return [_sum(rate, gross[rate]) for rate in order]


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
    net = Decimal(gross) * 100 / (100 + (rate.percent or 0))
    rounded = int(net.to_integral_value(ROUND_HALF_UP))
    return VatSum(rate, gross, rounded, gross - rounded)
