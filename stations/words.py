"""PURE: how the figures, places and remarks of a charging session read on pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stations import plausibility
from stations.models import ChargingSession, IdToken
from stations.pricing import minor_digits

NONE = "–"

FLAGS = {
    plausibility.METER_BACKWARDS: "The meter went backwards, so the energy cannot be right.",
    plausibility.POWER_EXCEEDED: "More energy than this connector can give in that time.",
    plausibility.ZERO_START_REPORTED_LATE: (
        "The station was offline and reported 0 as the meter's start value, so the energy cannot be right."
    ),
    plausibility.START_REPORTED_LATE: "The station was offline and reported the start later.",
    plausibility.ZERO_ENERGY: "No energy was charged.",
    plausibility.LONG_SESSION: "The car was plugged in for longer than a day.",
    plausibility.AMBIGUOUS_TIME: "It fell into the hour that repeats when clocks go back: its time may be an hour off.",
}

SOURCES = {
    ChargingSession.Source.STATION.value: "reported by the station",
    ChargingSession.Source.IMPORT.value: "imported from a file",
    ChargingSession.Source.OCPP.value: "reported by the station (OCPP)",
    ChargingSession.Source.OPERATOR.value: "made by the operator to correct another session",
}


TOKENS = {
    IdToken.Type.ISO14443.value: "card",
    IdToken.Type.ISO15693.value: "card",
    IdToken.Type.E_MAID.value: "contract",
    IdToken.Type.CENTRAL.value: "app",
    IdToken.Type.KEY_CODE.value: "key code",
    IdToken.Type.LOCAL.value: "at the station",
    IdToken.Type.MAC_ADDRESS.value: "car",
}

# OCPP 2.0.1 ReasonEnumType, those that drivers meet
STOPS = {
    "EVDisconnected": "the car was unplugged",
    "Local": "stopped at the station",
    "Remote": "stopped by the app or the operator",
    "StoppedByEV": "the car stopped it",
    "PowerLoss": "the station lost its power",
    "EmergencyStop": "emergency stop",
    "DeAuthorized": "the card was not accepted",
}


def token(session: ChargingSession) -> str:
    """What the driver showed: "card 04A2B3"; "no card" where the session has none."""
    shown = session.id_token
    return f"{TOKENS.get(shown.type, shown.type)} {shown.uid}" if shown else "no card"


def stop(session: ChargingSession) -> str:
    return STOPS.get(session.stop_reason, session.stop_reason)


def flags(session: ChargingSession) -> list[str]:
    """Each flag of a session as a sentence; a flag that we do not know is shown as it is."""
    return [FLAGS.get(flag, str(flag)) for flag in session.flags if isinstance(flag, str)]


def source(session: ChargingSession) -> str:
    return SOURCES.get(session.source, session.source)


# --- Figures


def kwh(energy_wh: int | None) -> str:
    """Energy in kWh with two decimals: 7780 -> "7.78", None -> "–"."""
    if energy_wh is None:
        return NONE
    return f"{(Decimal(energy_wh) / 1000).quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def money(minor: int | None, currency: str) -> str:
    """Minor units with their currency: (125, "USD") -> "1.25 USD", None -> "–"."""
    return NONE if minor is None else f"{amount(minor, currency)} {currency}".rstrip()


def amount(minor: int, currency: str) -> str:
    """The same without the currency: (125, "USD") -> "1.25"."""
    decimals = minor_digits(currency)
    return f"{Decimal(minor).scaleb(-decimals):,.{decimals}f}"


def plain(value: Decimal) -> str:
    """An exact value without trailing zeros: Decimal("7780.5000") -> "7,780.5"."""
    return f"{value.normalize():,f}"


def clock(duration: timedelta | None) -> str:
    """Hours and minutes for a column of figures: "1:31", "55:03"; None -> "–"."""
    if duration is None:
        return NONE
    minutes = int(duration.total_seconds()) // 60
    return f"{minutes // 60}:{minutes % 60:02}"


def spelled(duration: timedelta | None) -> str:
    """The same in a sentence: "1 h 31 min", "45 s", "2 d 3 h"."""
    if duration is None:
        return NONE
    seconds = int(duration.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h {minutes} min"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def duration(session: ChargingSession) -> timedelta | None:
    return session.stopped_at - session.started_at if session.stopped_at else None


# --- Places and their time


def zone(session: ChargingSession) -> ZoneInfo:
    """The time zone of the place as it was; UTC where the stored place names none that exists."""
    return zone_named(_location(session).get("time_zone"))


def zone_named(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, a path, or a directory
        return ZoneInfo("UTC")


def place(session: ChargingSession) -> str:
    """The site's name as it was when the charge started."""
    return str(_location(session).get("name") or _location(session).get("id") or session.station.identity)


def _location(session: ChargingSession) -> dict[str, Any]:
    return session.location if isinstance(session.location, dict) else {}


def outlet(session: ChargingSession) -> str:
    """The station, and which of its outlets where it may have several."""
    connector = session.connector
    if (connector.evse_id, connector.connector_id) == (1, 1):
        return session.station.identity
    return f"{session.station.identity}, outlet {connector.evse_id}/{connector.connector_id}"


def zone_mark(moment: datetime) -> str:
    """The zone's short name at that moment ("EST"); zones without one have their offset ("UTC+05")."""
    name = moment.tzname() or ""
    return f"UTC{name}" if name[:1] in {"+", "-"} else name


def day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %Y}"


def moment_text(moment: datetime | None, where: ZoneInfo) -> str:
    """A moment to the second with its zone: "18 Nov 2014, 15:40:26 EST"."""
    if moment is None:
        return NONE
    local = moment.astimezone(where)
    return f"{local.day} {local:%b %Y, %H:%M:%S} {zone_mark(local)}"


@dataclass(frozen=True)
class Period:
    """Start and stop as read at the site: day "Tue 18 Nov 2014", span "15:40 – 17:11 EST"."""

    day: str
    span: str


def period(session: ChargingSession) -> Period:
    where = zone(session)
    start = session.started_at.astimezone(where)
    if session.stopped_at is None:
        return Period(day(start), f"since {start:%H:%M} {zone_mark(start)}")
    stop = session.stopped_at.astimezone(where)
    # A charge over midnight names the day on which it ended; one over a change of clocks both zones' names.
    end = f"{stop:%H:%M}" if stop.date() == start.date() else f"{stop:%a} {stop.day} {stop:%b} {stop:%H:%M}"
    begin = f"{start:%H:%M}" if zone_mark(start) == zone_mark(stop) else f"{start:%H:%M} {zone_mark(start)}"
    return Period(day(start), f"{begin} – {end} {zone_mark(stop)}")


def zone_names(sessions: Sequence[ChargingSession]) -> list[str]:
    return sorted({zone(session).key for session in sessions}) or [UTC.tzname(None)]
