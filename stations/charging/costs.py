"""What a charge costs so far, and in the end, as its driver is told at the station."""

from decimal import Decimal

from stations.charging.corrections import correction_about
from stations.models import ChargingSession
from stations.tariffs.currencies import minor_digits
from stations.tariffs.pricing import cost_lines, total_minor


def counting_now(session: ChargingSession) -> ChargingSession:
    """The session, or what has replaced it."""
    while (correction := correction_about(session)) and correction.session_id == session.pk and correction.replacement:
        session = correction.replacement
    return session


def cost_so_far(session: ChargingSession, register_wh: int) -> Decimal | None:
    """In units of the currency, at that reading; None without a tariff or a start."""
    if not session.tariff or session.meter_start_wh is None:
        return None
    lines = cost_lines(session.tariff, energy_wh=max(register_wh - session.meter_start_wh, 0))
    return units(total_minor(lines), session.tariff["currency"])


def cost_of(session: ChargingSession) -> Decimal | None:
    """The whole cost of one that has ended, in units of its currency; None where it has none."""
    return None if session.cost_minor is None else units(session.cost_minor, session.currency)


def units(minor: int, currency: str) -> Decimal:
    """(1234, "EUR") -> Decimal("12.34")."""
    return Decimal(minor).scaleb(-minor_digits(currency))
