"""A site's limit is shared: from what is so now to what each outlet should have, and the messages that bring it there.

TxProfile for a charge that goes on, as every version takes it in the middle of a charge; TxDefaultProfile for cars that
come and for stations that hear nothing. ChargePointMaxProfile (ChargingStationMaxProfile) is left to whoever sets the
station up: it is of a whole station, and what is shared here are its outlets.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from stations.charging.plausibility import ENDED_AFTER_SILENCE, ENDED_BY_OPERATOR
from stations.commands.asking import command_ask
from stations.load import cars, rows
from stations.load.held import exceeded_note
from stations.load.planning import LOWER_FOR, Ask, Limits, plan
from stations.load.schedule import Period, Schedule
from stations.load.sharing import PHASES
from stations.load.standing import NOTHING, Layer
from stations.load.wishes import TURN, Place, Verdict, verdicts
from stations.models import ChargingSession, Connector, LimitedOutlet, OutletLimit, SiteLimit
from stations.zones import zone_named

AHEAD = timedelta(minutes=2)  # a limit that falls is kept so long before
SENT_WITHIN = timedelta(seconds=30)
PERHAPS_GOES_ON = {ENDED_AFTER_SILENCE, ENDED_BY_OPERATOR}  # the station has not said that it ended
ACTIVE = ChargingSession.Status.ACTIVE


@dataclass
class Look:
    """One outlet while a site is looked at."""

    row: LimitedOutlet
    connectors: list[Connector]
    told: dict[str, OutletLimit] = field(default_factory=dict)
    session: ChargingSession | None = None
    stored: dict[type, dict[int, dict[str, Any]]] = field(default_factory=dict)  # as the rows were

    def remember(self) -> None:
        """What stands in the database now."""
        rows_: list[LimitedOutlet | OutletLimit] = [self.row, *self.told.values()]
        for row in rows_:
            self.stored.setdefault(type(row), {})[row.pk] = _values(row)

    def changed(self, row: LimitedOutlet | OutletLimit) -> bool:
        """Whether it says something else than the database."""
        return self.stored.get(type(row), {}).get(row.pk) != _values(row)


def _values(row: LimitedOutlet | OutletLimit) -> dict[str, Any]:
    return {column.attname: getattr(row, column.attname) for column in row._meta.concrete_fields}


def schedule_of(limit: SiteLimit) -> Schedule:
    """The limit over time, less what is kept free."""
    periods = tuple(
        Period(frozenset(map(int, row.weekdays)), row.starts, row.ends, max(row.amperes - limit.reserve, 0))
        for row in limit.periods.all()
    )
    return Schedule(max(limit.amperes - limit.reserve, 0), zone_named(limit.site.time_zone), periods)


@transaction.atomic
def site_share(*, site_id: int, now: datetime | None = None) -> bool:
    """Look at a site once, and send what is to be sent; returns whether messages are on their way.

    Nothing is done while somebody else does it, or where no limit is in force.
    """
    now = now or timezone.now()
    mine = SiteLimit.objects.select_for_update(skip_locked=True, of=("self",)).select_related("site")
    limit = mine.filter(site_id=site_id, enabled=True).first()
    if limit is None:
        return False
    looks = _looks(limit)
    for look in looks:
        _answers_take(look, now)
    _cars_take(looks, limit, now)
    found = _decided(looks, limit, now)
    asks = _planned(looks, found, limit, now)
    by_key = {look.row.pk: look for look in looks}
    for ask in asks:
        _ask(by_key[ask.key], ask, limit, now)
    for look in looks:
        _save(look, found[look.row.pk], limit, now)
    LimitedOutlet.objects.filter(pk__in=by_key).update(looked_at=now)
    exceeded_note(limit, [look.row for look in looks], schedule_of(limit).at(now), now)
    return any(told.command_id for look in looks for told in look.told.values())


def _looks(limit: SiteLimit) -> list[Look]:
    """All outlets of the site in their order, with their rows, which are made where they are not there yet."""
    connectors = Connector.objects.filter(station__site=limit.site).select_related("station")
    by_place: dict[tuple[int, int], list[Connector]] = defaultdict(list)
    for connector in connectors.order_by("station__identity", "evse_id", "connector_id"):
        by_place[connector.station_id, connector.evse_id].append(connector)
    known = LimitedOutlet.objects.filter(station__site=limit.site).select_related("station", "session")
    outlets = {(row.station_id, row.evse_id): row for row in known}
    looks = []
    for (station_id, evse_id), found in by_place.items():
        row = outlets.get((station_id, evse_id))
        if row is None:
            row = LimitedOutlet.objects.create(station_id=station_id, evse_id=evse_id)
        row.station = found[0].station
        looks.append(Look(row, found))
    by_row = {look.row.pk: look for look in looks}
    for told in OutletLimit.objects.filter(outlet__in=by_row).select_related("command"):
        by_row[told.outlet_id].told[told.layer] = told
    sessions = ChargingSession.objects.filter(station__site=limit.site, status=ACTIVE).select_related("connector")
    charging = {(one.station_id, one.connector.evse_id): one for one in sessions.order_by("started_at", "id")}
    for look in looks:
        look.session = charging.get((look.row.station_id, look.row.evse_id))
        look.remember()
    return looks


def _answers_take(look: Look, now: datetime) -> None:
    """What stations answered, what they may have forgotten, and what ended with a charge."""
    for told in look.told.values():
        rows.answer_take(told, now)
        rows.doubt_since(told, look.row.station.booted_at)
        rows.standing_write(told, rows.standing_of(told).tidy(now))
    former = look.row.session
    if former is not None and former != look.session:
        _charge_forget(look, former)
    if former != look.session:
        look.row.want_a, look.row.want_at, look.row.lines = None, None, ""
        look.row.session = look.session


def _charge_forget(look: Look, former: ChargingSession) -> None:
    """The station drops a charge's profile with the charge; where it did not say itself that it ended, perhaps not."""
    told = look.told.get(Layer.CHARGE)
    if told is None:
        return
    is_over = former.is_closed and not PERHAPS_GOES_ON & set(former.flags)
    rows.standing_write(told, NOTHING if is_over else rows.standing_of(told).doubt())
    told.command, told.refused_at, told.words = None, None, ""


def _cars_take(looks: list[Look], limit: SiteLimit, now: datetime) -> None:
    charging = {look.session.pk: look for look in looks if look.session is not None}
    dc = [pk for pk, look in charging.items() if rows.is_dc(look.connectors)]
    drawn = cars.drawn_by(charging, now, limit, dc)
    for pk, look in charging.items():
        told = look.told.get(Layer.CHARGE)
        allowed = told.amperes if told else None
        cars.car_take(look.row, drawn.get(pk), allowed=allowed, since=told.accepted_at if told else None)
    for look in looks:
        if look.session is None:
            look.row.drawn_a = look.row.drawn_at = None


def _decided(looks: list[Look], limit: SiteLimit, now: datetime) -> dict[int, Verdict]:
    schedule = schedule_of(limit)
    ordered = sorted(looks, key=lambda look: (look.session.started_at if look.session else now, look.row.pk))
    return verdicts(
        now,
        [_place(look, limit, now) for look in ordered],
        limit=schedule.least(now, now + AHEAD),
        lowest=schedule.lowest,
        phases=_phases(limit),
        turn=int(now.timestamp() // TURN.total_seconds()),
    )


def _place(look: Look, limit: SiteLimit, now: datetime) -> Place:
    station = look.row.station
    refused = {
        Layer(layer)
        for layer, told in look.told.items()
        if told.refused_at is not None and told.refused_at > now - rows.REFUSED_FOR
    }
    return Place(
        outlet=rows.outlet_of(look.row, rows.maximum_of(look.connectors, limit), look.told),
        present=bool(station.connection),
        known=bool(station.ocpp_version),
        charging=look.session is not None,
        transaction=look.session is not None and look.session.source == ChargingSession.Source.OCPP,
        phases=rows.lines_of(look.row.lines),
        drawn=cars.want_of(look.row, now) if look.session else None,
        open=frozenset(Layer(layer) for layer, told in look.told.items() if told.command_id),
        refused=frozenset(refused),
    )


def _planned(looks: list[Look], found: dict[int, Verdict], limit: SiteLimit, now: datetime) -> list[Ask]:
    schedule = schedule_of(limit)
    changes = [at for at, _ in schedule.steps(now, now + LOWER_FOR)]
    outlets = [_place(look, limit, now).outlet for look in looks]
    wishes = {key: verdict.wish for key, verdict in found.items() if verdict.wish is not None}
    return plan(now, outlets, wishes, Limits(schedule.at, changes, _phases(limit)))


def _phases(limit: SiteLimit) -> frozenset[int]:
    return PHASES if limit.phases == len(PHASES) else frozenset({1})


def _ask(look: Look, ask: Ask, limit: SiteLimit, now: datetime) -> None:
    """Write down what is on its way, and ask."""
    session = look.session if ask.layer == Layer.CHARGE else None
    params = rows.profile_params(
        look.row,
        ask.layer,
        ask.told,
        now=now,
        dc_limit=limit if rows.is_dc(look.connectors) else None,
        transaction_id=session.transaction_id if session else "",
    )
    told = look.told.setdefault(ask.layer, OutletLimit(outlet=look.row, layer=ask.layer))
    asked: dict[str, Any] = {"kind": "set_profile", "params": params, "session": session, "valid_for": SENT_WITHIN}
    told.command = command_ask(station=look.row.station, **asked)
    rows.standing_write(told, rows.standing_of(told).ask(ask.told))


def _save(look: Look, verdict: Verdict, limit: SiteLimit, now: datetime) -> None:
    outlet = _place(look, limit, now).outlet
    row = look.row
    row.share_a, row.reason = verdict.amperes, verdict.reason.value
    row.most_a = max(outlet.most(now, phase) for phase in _phases(limit))
    if look.changed(row):
        row.save()
    for told in look.told.values():
        told.outlet = row
        if look.changed(told):
            told.save()


# --- Where no limit is in force any more


@transaction.atomic
def outlet_release(*, outlet_id: int, now: datetime | None = None) -> None:
    """Have the station forget the profiles, once it is there; the rows go when it has answered."""
    now = now or timezone.now()
    row = LimitedOutlet.objects.select_for_update(of=("self",)).select_related("station").filter(pk=outlet_id).first()
    if row is None:
        return
    for told in row.told.select_related("command"):
        rows.answer_take(told, now)
        if rows.standing_of(told) == NOTHING and told.command is None:
            told.delete()
            continue
        if told.command is None and row.station.connection:
            params = {"profile_id": rows.profile_number(row.evse_id, Layer(told.layer))}
            told.command = command_ask(station=row.station, kind="clear_profile", params=params, valid_for=SENT_WITHIN)
        told.save()
    row.share_a = row.most_a = row.session = None
    row.reason = ""
    row.save()


def sites_limited() -> list[int]:
    """Sites whose limit is in force."""
    return list(SiteLimit.objects.filter(enabled=True).order_by("site_id").values_list("site_id", flat=True))


def outlets_to_release() -> list[int]:
    """Outlets that still have profiles, at sites without a limit."""
    free = LimitedOutlet.objects.filter(told__isnull=False).exclude(station__site__load_limit__enabled=True)
    return list(free.order_by("pk").values_list("pk", flat=True).distinct())


def limited_sites(stations: Collection[int]) -> list[int]:
    """The sites of these stations whose limits are in force."""
    rows_ = SiteLimit.objects.filter(enabled=True, site__stations__in=stations)
    return list(rows_.order_by("site_id").values_list("site_id", flat=True).distinct())
