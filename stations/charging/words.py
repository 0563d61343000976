"""How the figures, places and remarks of a charging session read on pages: in the reader's language, without I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import dateformat
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from stations.cards.words import token_name
from stations.charging import plausibility
from stations.digits import number as number
from stations.metering import comparing
from stations.models import ChargingSession
from stations.tariffs.currencies import minor_digits
from stations.zones import zone_named

NONE = "–"

# How dates are written (django.utils.dateformat); the names of days and months are Django's own.
_DATES = {"en": "j M Y", "de": "j. N Y"}

FLAGS: dict[str, Promise] = {
    plausibility.METER_BACKWARDS: _("The meter went backwards, so the energy cannot be right."),
    plausibility.POWER_EXCEEDED: _("More energy than this connector can give in that time."),
    plausibility.ZERO_START_REPORTED_LATE: _(
        "The station reported the start late and 0 as the meter's value then, so the energy cannot be right."
    ),
    plausibility.START_REPORTED_LATE: _("The station reported the start late."),
    plausibility.ZERO_ENERGY: _("No energy was charged."),
    plausibility.LONG_SESSION: _("The car was plugged in for longer than a day."),
    plausibility.METER_IMPOSSIBLE: _("The meter's value cannot be one, so the energy cannot be right."),
    plausibility.METER_ROLLED_OVER: _(
        "The meter began again at 0, after its highest value or because it was reset: nobody can tell from here."
    ),
    plausibility.CLOCK_WRONG: _("The station's clock was wrong or was set meanwhile: the times are not right."),
    plausibility.ZONE_ASSUMED: _("The station told times without a zone: they were read in its own."),
    plausibility.NOT_AUTHORIZED: _("The card was not accepted, but the station charged."),
    plausibility.NUMBER_REUSED: _("The station had given this number to an earlier charge."),
    plausibility.ENDED_BY_NEXT_START: _("The station reported no end; the next charge at this outlet ended it."),
    plausibility.ENDED_BY_REBOOT: _("The station reported no end and started anew."),
    plausibility.ENDED_AFTER_SILENCE: _("The station reported no end, and nothing more was heard of it."),
    plausibility.ENDED_BY_OPERATOR: _("The station reported no end; the operator ended it."),
    plausibility.ENDED_BY_FREE_OUTLET: _("The station reported no end, but that the outlet is free."),
    plausibility.START_UNKNOWN: _("Nobody knows what the meter said at the start."),
    plausibility.END_UNKNOWN: _("Nobody knows what the meter said at the end."),
    plausibility.START_NOT_REPORTED: _("The station's report of the start never came."),
    plausibility.OUTLET_NOT_REPORTED: _("The station never said at which of its outlets."),
    plausibility.END_FROM_READING: _("The station gave no meter value at the end; its last reading counts."),
    comparing.SIGNED_CONTRADICTS: _("What the meter signed is not what the station reported."),
    comparing.SIGNED_REQUIRED: _("Signed meter values are required here, and this charge has none that are verified."),
    comparing.SIGNED_FAILED: _(
        "The meter's signatures do not prove this charge; it is billed by the station's own figures."
    ),
    plausibility.MESSAGES_MISSING: _("Some of the station's messages about it never came, by their numbers."),
    plausibility.AMBIGUOUS_TIME: _(
        "It fell into the hour that repeats when clocks go back: its time may be an hour off."
    ),
}

SOURCES: dict[str, Promise] = {
    ChargingSession.Source.STATION.value: _("reported by the station"),
    ChargingSession.Source.IMPORT.value: _("imported from a file"),
    ChargingSession.Source.OCPP.value: _("reported by the station (OCPP)"),
    ChargingSession.Source.OPERATOR.value: _("made by the operator to correct another session"),
}


# OCPP 2.0.1 ReasonEnumType, those that drivers meet
STOPS: dict[str, Promise] = {
    "EVDisconnected": _("the car was unplugged"),
    "Local": _("stopped at the station"),
    "Remote": _("stopped by the app or the operator"),
    "StoppedByEV": _("the car stopped it"),
    "PowerLoss": _("the station lost its power"),
    "EmergencyStop": _("emergency stop"),
    "DeAuthorized": _("the card was not accepted"),
}


def token(session: ChargingSession) -> str:
    """What the driver showed: "card 04A2B3"; "no card" where the session has none."""
    shown = session.id_token
    return token_name(shown.type, shown.uid) if shown else gettext("no card")


def stop(session: ChargingSession) -> str:
    """Why it ended; the station's own word where we have none."""
    return str(STOPS.get(session.stop_reason, session.stop_reason))


def flags(session: ChargingSession) -> list[str]:
    """Each flag of a session as a sentence."""
    return [flag_text(flag) for flag in session.flags if isinstance(flag, str)]


def flag_text(flag: str) -> str:
    """A flag as a sentence; one that we do not know is shown as it is."""
    return str(FLAGS.get(flag, flag))


def source(session: ChargingSession) -> str:
    """Who told of it: station, import, correction."""
    return str(SOURCES.get(session.source, session.source))


# --- Figures


def kwh(energy_wh: int | None) -> str:
    """Energy in kWh with two decimals: 7780 -> "7.78" (German "7,78"), None -> "–"."""
    if energy_wh is None:
        return NONE
    return number((Decimal(energy_wh) / 1000).quantize(Decimal("0.01"), ROUND_HALF_UP), 2)


def kwh_exact(energy_wh: int) -> str:
    """Energy in kWh to the Wh, as a bill multiplies it: 7780 -> "7.780"."""
    return number(Decimal(energy_wh).scaleb(-3), 3)


def kw(power_w: int | None) -> str:
    """Power in kW with one decimal: 7432 -> "7.4", None -> "–"."""
    if power_w is None:
        return NONE
    return number((Decimal(power_w) / 1000).quantize(Decimal("0.1"), ROUND_HALF_UP), 1)


def money(minor: int | None, currency: str) -> str:
    """Minor units with their currency: (125, "USD") -> "1.25 USD", None -> "–"."""
    return NONE if minor is None else f"{amount(minor, currency)} {currency}".rstrip()


def amount(minor: int, currency: str) -> str:
    """The same without the currency: (125, "USD") -> "1.25"."""
    decimals = minor_digits(currency)
    return number(Decimal(minor).scaleb(-decimals), decimals)


def plain(value: Decimal) -> str:
    """An exact value without trailing zeros: Decimal("7780.5000") -> "7,780.5"."""
    return number(Decimal(f"{value.normalize():f}"))


def price(value: Decimal, currency: str) -> str:
    """An exact price with at least the currency's decimals: Decimal("0.5000") -> "0.50", 0.2725 -> "0.2725"."""
    exact = Decimal(f"{value.normalize():f}")
    exponent = exact.as_tuple().exponent
    return number(exact, max(minor_digits(currency), -exponent if isinstance(exponent, int) else 0))


def clock(duration: timedelta | None) -> str:
    """Hours and minutes for a column of figures: "1:31", "55:03"; None -> "–"."""
    if duration is None:
        return NONE
    minutes = int(duration.total_seconds()) // 60
    return f"{minutes // 60}:{minutes % 60:02}"


def spelled(duration: timedelta | None) -> str:
    """The same in a sentence: "1 h 31 min", "45 s", "2 d 3 h 0 min"."""
    if duration is None:
        return NONE
    seconds = int(duration.total_seconds())
    hours, minutes = divmod(seconds // 60, 60)
    parts = {"days": hours // 24, "hours": hours % 24, "minutes": minutes, "seconds": seconds}
    if seconds < 60:
        return gettext("%(seconds)d s") % parts
    if hours >= 24:
        return gettext("%(days)d d %(hours)d h %(minutes)d min") % parts
    return (gettext("%(hours)d h %(minutes)d min") if hours else gettext("%(minutes)d min")) % parts


def duration(session: ChargingSession) -> timedelta | None:
    """None while it goes on."""
    return session.stopped_at - session.started_at if session.stopped_at else None


# --- Places and their time


def zone(session: ChargingSession) -> ZoneInfo:
    """The time zone of the place as it was; UTC where the stored place names none that exists."""
    return zone_named(_location(session).get("time_zone"))


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
    which = gettext("outlet %(number)s") % {"number": f"{connector.evse_id}/{connector.connector_id}"}
    return f"{session.station.identity}, {which}"


def zone_mark(moment: datetime) -> str:
    """The zone's short name at that moment ("EST"); zones without one have their offset ("UTC+05")."""
    name = moment.tzname() or ""
    return f"UTC{name}" if name[:1] in {"+", "-"} else name


def date_text(moment: date, where: ZoneInfo | None = None) -> str:
    """A date, also of a moment as it is given or, with `where`, there: "18 Nov 2014" (German "18. Nov. 2014")."""
    local = moment.astimezone(where) if where and isinstance(moment, datetime) else moment
    return _written(local, "{date}")


def minute_text(moment: datetime | None, where: ZoneInfo) -> str:
    """A moment to the minute with its zone: "18 Nov 2014, 15:40 EST"; None -> ""."""
    if moment is None:
        return ""
    local = moment.astimezone(where)
    return f"{date_text(local)}, {local:%H:%M} {zone_mark(local)}"


def day(moment: date) -> str:
    """The same with its weekday: "Tue 18 Nov 2014"."""
    return _written(moment, "D {date}")


def _written(moment: date, pattern: str, *, year: bool = True) -> str:
    language = get_language() or "en"
    date_pattern = _DATES.get(language[:2], _DATES["en"])
    on = moment.date() if isinstance(moment, datetime) else moment
    return _formatted(on, pattern.format(date=date_pattern if year else date_pattern.removesuffix(" Y")), language)


@lru_cache(maxsize=10_000)  # some years in all languages; a list writes the same days again and again
def _formatted(on: date, pattern: str, language: str) -> str:
    """As django.utils.dateformat writes it in the language that is active, which `language` names."""
    return dateformat.format(on, pattern)


def moment_text(moment: datetime | None, where: ZoneInfo) -> str:
    """A moment to the second with its zone: "18 Nov 2014, 15:40:26 EST"."""
    if moment is None:
        return NONE
    local = moment.astimezone(where)
    return f"{date_text(local)}, {local:%H:%M:%S} {zone_mark(local)}"


def time_text(moment: datetime, where: ZoneInfo) -> str:
    """The time of day: "15:40"."""
    return f"{moment.astimezone(where):%H:%M}"


def tick_texts(times: Sequence[datetime], where: ZoneInfo) -> list[str]:
    """Times below an axis, each as short as tells it from its neighbours: "08:56", "08:56:04", "Mon 08:56", "30 Nov".

    One that reads like the one before it even so (a charge of a second) is "".
    """
    local = [moment.astimezone(where) for moment in times]
    span = local[-1] - local[0] if local else timedelta(0)
    if span >= timedelta(days=4):
        texts = [_written(moment, "{date}", year=False) for moment in local]
    elif local and local[0].date() != local[-1].date():
        texts = [f"{_written(moment, 'D')} {moment:%H:%M}" for moment in local]
    else:
        texts = [f"{moment:%H:%M}" if span >= timedelta(minutes=5) else f"{moment:%H:%M:%S}" for moment in local]
    return [text if number == 0 or text != texts[number - 1] else "" for number, text in enumerate(texts)]


def also_text(moment: datetime | None, where: ZoneInfo, reader: ZoneInfo) -> str:
    """The moment in the reader's zone, "" where its clock shows the same: "21:40:26 CET", with the date if another."""
    if moment is None or moment.astimezone(where).utcoffset() == moment.astimezone(reader).utcoffset():
        return ""
    local = moment.astimezone(reader)
    if local.date() != moment.astimezone(where).date():
        return moment_text(moment, reader)
    return f"{local:%H:%M:%S} {zone_mark(local)}"


@dataclass(frozen=True)
class Period:
    """Start and stop as read at the site: day "Tue 18 Nov 2014", span "15:40 – 17:11 EST"."""

    day: str
    span: str


def period(session: ChargingSession) -> Period:
    """Day and times where it was charged, with the zone's name."""
    where = zone(session)
    start = session.started_at.astimezone(where)
    if session.stopped_at is None:
        return Period(day(start), gettext("since %(time)s") % {"time": f"{start:%H:%M} {zone_mark(start)}"})
    stop = session.stopped_at.astimezone(where)
    # A charge over midnight names the day on which it ended; one over a change of clocks both zones' names.
    end = f"{stop:%H:%M}" if stop.date() == start.date() else f"{_day_of_year(stop)} {stop:%H:%M}"
    begin = f"{start:%H:%M}" if zone_mark(start) == zone_mark(stop) else f"{start:%H:%M} {zone_mark(start)}"
    return Period(day(start), f"{begin} – {end} {zone_mark(stop)}")


def _day_of_year(moment: datetime) -> str:
    """A weekday and date without the year: "Wed 19 Nov"."""
    return _written(moment, "D {date}", year=False)


def zone_names(sessions: Sequence[ChargingSession]) -> list[str]:
    """The zones of their places, each once; UTC where there are no sessions."""
    return sorted({zone(session).key for session in sessions}) or [UTC.tzname(None)]


# --- The lines of a bill (stations/tariffs/lines.py)


def line_name(line: Any) -> str:
    """What a line, or the sum of several, is for."""
    names = {
        "ENERGY": gettext("Energy"),
        "TIME": gettext("Charging time"),
        "PARKING_TIME": gettext("Parking time"),
        "FLAT": gettext("For the session"),
        "MIN_PRICE": gettext("Up to the minimum price"),
        "MAX_PRICE": gettext("Down to the maximum price"),
    }
    if getattr(line, "reservation", False):
        return gettext("Reservation, per session") if line.kind == "FLAT" else gettext("Reservation")
    return names.get(line.kind, str(line.kind))


def line_quantity(line: Any) -> str:
    """12.34 kWh, 1:30:05 h, or how many sessions."""
    if line.kind == "ENERGY":
        return f"{kwh_exact(line.quantity)} kWh"
    if line.kind in {"TIME", "PARKING_TIME"}:
        minutes, seconds = divmod(abs(line.quantity), 60)
        sign = "-" if line.quantity < 0 else ""
        return f"{sign}{minutes // 60}:{minutes % 60:02}:{seconds:02} h"
    return "" if line.kind in {"MIN_PRICE", "MAX_PRICE"} else number(line.quantity)


def line_per(line: Any) -> str:
    """Of what its price is the price."""
    per = {"ENERGY": gettext("per kWh"), "TIME": gettext("per hour"), "PARKING_TIME": gettext("per hour")}
    return per.get(line.kind, "" if line.kind in {"MIN_PRICE", "MAX_PRICE"} else gettext("per session"))
