"""Third step of the history: what the database has for the reader and the filter; three queries for a driver.

The sums by day, the sessions of one page of the list, and what charges now. A session that differs from its record is
marked on the way, as soon as somebody looks at it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.paginator import Page, Paginator
from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.db.models.functions import TruncDate

from ledger.state.counting import KEYS, Counted, counted_groups, counted_of
from ledger.state.filters import IN_STATE
from ledger.state.marking import mark_differing
from ledger.state.rows import ALONE, in_rows
from ledger.state.words import StateWords, state_of
from portal.history.filter import Asked
from portal.history.order import ordered
from portal.history.spans import Days, Span
from portal.history.totals import Group, Totals, totals_of
from portal.history.visible import Used, Visible, as_databases_know
from stations.charging.corrections import with_credits
from stations.identifiers import letters, token_forms
from stations.models import ChargingSession, ChargingSessionQuerySet, Connector, IdToken, MeterValue, Station

PAGE_SIZE = 20
CHARGING_SHOWN = 10


@dataclass(frozen=True)
class Told:
    """A session of the list, what is to be said of its record, and what counts of it."""

    session: ChargingSession
    state: StateWords
    counted: Counted


@dataclass(frozen=True)
class Found:
    """`groups` are the sums by day, also of days that the filter leaves out; `totals` are of those that it asks for.

    `charging` has the last reading of each as `charging()` gives it.
    """

    groups: Sequence[Group]
    totals: Totals
    page: Page[Any]
    told: Sequence[Told]
    charging: Sequence[ChargingSession]


def found_for(visible: Visible, asked: Asked) -> Found:
    """All that the page shows. What differs from its record is marked if it was not, and then summed anew."""
    groups, totals = _sums(visible, asked)
    page, sessions = _page(visible, asked, totals.rows)
    told = [_told(session) for session in sessions]
    if mark_differing(one.session for one in told if one.state.kind == "mismatch"):
        groups, totals = _sums(visible, asked)
    goes_on = visible.everybody or any(group["charging"] for group in groups)
    return Found(groups, totals, page, told, charging(visible.sessions) if goes_on else ())


def sessions_for(visible: Visible, asked: Asked) -> ChargingSessionQuerySet:
    """The finished sessions that fit the filter, in its order."""
    return ordered(in_days(_narrowed(visible, asked), asked.days, visible.where).closed(), asked.sort)


def _told(session: ChargingSession) -> Told:
    state = state_of(session)
    return Told(session, state, counted_of(session, differs=state.kind == "mismatch"))


# --- The filter, as the database takes it


def _narrowed(visible: Visible, asked: Asked) -> ChargingSessionQuerySet:
    """What fits the filter on whatever day; nothing where the filter itself cannot be understood."""
    sessions, chosen = visible.sessions, asked.chosen
    if chosen is None:
        return sessions.none()
    if chosen["site"]:
        sessions = sessions.filter(station__site__code=chosen["site"])
    if chosen["station"]:
        sessions = sessions.filter(station__canonical=letters(chosen["station"]))
    if chosen["token"]:
        sessions = sessions.filter(id_token__canonical__in=token_forms(chosen["token"]))
    if chosen["state"]:
        sessions = sessions.filter(IN_STATE[chosen["state"]])
    return sessions


def in_days(sessions: ChargingSessionQuerySet, days: Days, where: ZoneInfo) -> ChargingSessionQuerySet:
    """Sessions that began on these days, the first and last included; None: without that end."""
    first, last = days
    if first:
        sessions = sessions.filter(started_at__gte=_midnight(first, where))
    if last:
        sessions = sessions.filter(started_at__lt=_midnight(last + timedelta(days=1), where))
    return sessions


def _midnight(day: date, where: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), where).astimezone(UTC)


# --- Sums by day

_ACTIVE = Q(status=ChargingSession.Status.ACTIVE)
_SUMMED = {"sessions": Count("pk", filter=~_ACTIVE), "energy": Sum("energy_wh"), "cost": Sum("cost_minor")}


def _sums(visible: Visible, asked: Asked) -> tuple[Sequence[Group], Totals]:
    """The sums of all days, as what a month is compared with may lie outside of the filter, and of its days alone.

    For who sees everything not of all days: of those that they named, and of the month or year before.
    """
    sessions, (first, last) = _narrowed(visible, asked), asked.days
    if visible.everybody and first and last:
        before = Span(first, last).before
        sessions = in_days(sessions, (before.first if before else first, last), visible.where)
    groups = by_day(sessions, visible.where)
    first, last = first or date.min, last or date.max
    return groups, totals_of(group for group in groups if first <= group["day"] <= last)


def by_day(sessions: ChargingSessionQuerySet, where: ZoneInfo) -> Sequence[Group]:
    """The sums of finished sessions, groups of a day and currency, the oldest first; `charging` counts the others.

    One query, from which totals, months, years and bars all come: they cannot disagree.
    """
    day = TruncDate("started_at", tzinfo=as_databases_know(where))
    groups = sessions.order_by().values("currency", day=day, **KEYS)
    summed = groups.annotate(**_SUMMED, charging=Count("pk", filter=_ACTIVE)).order_by("day", "currency")
    return list(counted_groups(summed))


# --- One page of the list


def _page(visible: Visible, asked: Asked, rows: int) -> tuple[Page[Any], Sequence[ChargingSession]]:
    """The page of the list, and its sessions; found by their keys alone, as skipping whole rows takes long."""
    paginator = Paginator(sessions_for(visible, asked).values_list("pk", flat=True), PAGE_SIZE)
    paginator.count = rows  # known already, not counted again
    page = paginator.get_page(asked.page)
    keys: Any = page.object_list  # not read here: it becomes a part of the query for the sessions
    sessions = ordered(ChargingSession.objects.filter(pk__in=keys), asked.sort)
    return page, list(in_rows(sessions)) if visible.everybody else _in_rows_of(visible.used, sessions)


def _in_rows_of(used: Sequence[Used], sessions: ChargingSessionQuerySet) -> list[ChargingSession]:
    """As `in_rows`, where it is known already which outlets and tokens there are: joins nothing for their names."""
    found = list(with_credits(sessions).select_related("ledger_entry__transaction").only(*ALONE))
    outlets = {(one.station_id, one.outlet_id): _outlet(one, sessions.db) for one in used}
    tokens = {one.token_id: _token(one, sessions.db) for one in used if one.token_id}
    for session in found:
        outlet = outlets.get((session.station_id, session.connector_id))
        token = tokens.get(session.id_token_id) if session.id_token_id else None
        if outlet:  # else it came meanwhile, and is read when somebody asks
            session.connector, session.station = outlet, outlet.station
        if token:
            session.id_token = token
    return found


def _outlet(one: Used, db: str) -> Connector:
    """With its station; what else they have is read when somebody asks."""
    names = ("id", "station_id", "evse_id", "connector_id")
    outlet = Connector.from_db(db, names, (one.outlet_id, one.station_id, one.evse_id, one.connector_id))
    outlet.station = Station.from_db(db, ("id", "identity"), (one.station_id, one.station))
    return outlet


def _token(one: Used, db: str) -> IdToken:
    return IdToken.from_db(db, ("id", "uid", "type"), (one.token_id, one.uid, one.type))


# --- What charges now


def charging(sessions: ChargingSessionQuerySet) -> Sequence[ChargingSession]:
    """Open sessions, the newest first, each with its last meter reading and power as `last_…` (None: not reported)."""
    register = _last("Energy.Active.Import.Register")
    power = _last("Power.Active.Import")
    found = (
        sessions.filter(_ACTIVE)
        .select_related("station", "connector")
        .annotate(
            last_register=Subquery(register.values("value")[:1]),
            last_register_unit=Subquery(register.values("unit")[:1]),
            last_power=Subquery(power.values("value")[:1]),
            last_power_unit=Subquery(power.values("unit")[:1]),
        )
    )
    return list(found.order_by("-started_at", "-id")[:CHARGING_SHOWN])


def _last(measurand: str) -> Any:
    values = MeterValue.objects.filter(session=OuterRef("pk"), measurand=measurand, phase="")
    return values.order_by("-sampled_at", "-id")
