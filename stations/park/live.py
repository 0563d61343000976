"""The park as it is now: stations with their connection, outlets, faults, running charges and power.

However many stations there are, a page asks the same number of queries, each over an index or over the stations alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, DecimalField, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from stations.charging.power import POWER, REGISTER
from stations.identifiers import letters
from stations.models import ChargingSession, Connector, MeterValue, OcppMessage, Station
from stations.models.places import StationQuerySet
from stations.remembering import remembered
from stations.silence import SILENT_AFTER

TOTALS_FOR_S = 5
POWER_HOLDS = timedelta(minutes=15)  # what was measured before says nothing of now
NO_ERROR = ("", "NoError")
EXACT: "DecimalField[Any, Any]" = DecimalField(max_digits=30, decimal_places=4)
ACTIVE = ChargingSession.Status.ACTIVE


@dataclass(frozen=True)
class Charge:
    """A charge that goes on. `power_w`: now, where anything was heard of it lately."""

    session: ChargingSession
    power_w: int | None


@dataclass
class Row:
    """One station of the page. `state`: one of STATES (stations/park/words.py)."""

    station: Station
    state: str
    connectors: list[Connector] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    action: str = ""
    heard_at: datetime | None = None

    @property
    def faults(self) -> list[Connector]:
        """The outlets that say that something is wrong with them."""
        return [one for one in self.connectors if is_faulty(one)]

    @property
    def power_w(self) -> int | None:
        """Of all its charges; None where it charges nothing, or does not say."""
        known = [charge.power_w for charge in self.charges if charge.power_w is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Totals:
    """Of all stations, or those of a site. `charging`: charges that go on; `power_w` of all of them."""

    stations: int
    connected: int
    silent: int
    faulty: int
    charging: int
    power_w: int


def is_faulty(connector: Connector) -> bool:
    """Whether the outlet reports an error."""
    return connector.status == Connector.Status.FAULTED or connector.error_code not in NO_ERROR


FAULTY = Q(status=Connector.Status.FAULTED) | ~Q(error_code__in=NO_ERROR)


def silent_at(now: datetime) -> Q:
    """As `StationQuerySet.silent` has it, for those that may connect."""
    unknown_yet = Q(expected_by__isnull=True, last_seen_at__lt=now - SILENT_AFTER)
    return Q(enabled=True) & (Q(expected_by__lt=now) | unknown_yet)


NEVER = Q(last_seen_at__isnull=True, ocpp_version="")


def stations_ranked(stations: StationQuerySet, now: datetime) -> StationQuerySet:
    """What somebody should look at first: silent stations, then those with a fault; at the end those never heard."""
    faulty = Exists(Connector.objects.filter(FAULTY, station=OuterRef("pk")))
    charging = Exists(ChargingSession.objects.filter(station=OuterRef("pk"), status=ACTIVE))
    rank = Case(When(silent_at(now), then=0), When(faulty, then=1), When(NEVER, then=3), default=2)
    return stations.annotate(faulty=faulty, charging=charging, rank=rank).order_by("rank", "identity")


def narrowed(stations: StationQuerySet, *, site: int | None, state: str, term: str, now: datetime) -> StationQuerySet:
    """By site, by state (a key of STATES) and by what identity, serial number or model contain."""
    if site is not None:
        stations = stations.filter(site=site)
    if term:
        named = Q(canonical__contains=letters(term)) | Q(serial_number__icontains=term) | Q(model__icontains=term)
        stations = stations.filter(named)
    wanted = {
        "connected": ~Q(connection=""),
        "away": Q(connection="", enabled=True) & ~Q(ocpp_version=""),
        "heard": Q(ocpp_version="", last_seen_at__isnull=False, enabled=True),
        "silent": silent_at(now),
        "fault": Q(faulty=True),
        "charging": Q(charging=True),
        "off": Q(enabled=False),
        "never": NEVER,
    }
    return stations.filter(wanted[state]) if state in wanted else stations


def rows_of(page: Sequence[Station], now: datetime) -> list[Row]:
    """What there is to say of these stations, in three queries."""
    ids = [station.pk for station in page]
    connectors, charges = defaultdict(list), defaultdict(list)
    for connector in Connector.objects.filter(station__in=ids).order_by("evse_id", "connector_id"):
        connectors[connector.station_id].append(connector)
    running = ChargingSession.objects.filter(station__in=ids, status=ACTIVE).order_by("started_at")
    for session in with_power(running, now).select_related("connector"):
        charges[session.station_id].append(Charge(session, power_now(session, now)))
    last = OcppMessage.objects.filter(station=OuterRef("pk")).order_by("-pk")
    said = Station.objects.filter(pk__in=ids).annotate(
        said_at=Subquery(last.values("at")[:1]), said=Subquery(last.exclude(action="").values("action")[:1])
    )
    told = {pk: (at, action) for pk, at, action in said.values_list("pk", "said_at", "said")}
    return [_row(station, connectors[station.pk], charges[station.pk], told[station.pk], now) for station in page]


def _row(
    station: Station,
    connectors: list[Connector],
    charges: list[Charge],
    told: tuple[datetime | None, str | None],
    now: datetime,
) -> Row:
    said_at, action = told
    heard = max(filter(None, (said_at, station.last_seen_at)), default=None)
    row = Row(station, "", connectors, charges, action or "", heard)
    row.state = _state(row, now)
    return row


def _state(row: Row, now: datetime) -> str:
    station = row.station
    late = station.expected_by or (station.last_seen_at and station.last_seen_at + SILENT_AFTER)
    if not station.enabled:
        return "off"
    if late and late < now:
        return "silent"
    if row.faults:
        return "fault"
    if row.charges:
        return "charging"
    if station.connection:
        return "connected"
    if station.ocpp_version:
        return "away"
    return "heard" if station.last_seen_at else "never"


def totals(stations: StationQuerySet, key: str) -> Totals:
    """Of these stations; remembered for some seconds under `key`, as it goes through all of them."""
    return remembered(f"park:{key}", TOTALS_FOR_S, lambda: _totals(stations))


def _totals(stations: StationQuerySet) -> Totals:
    now = timezone.now()
    faulty = Exists(Connector.objects.filter(FAULTY, station=OuterRef("pk")))
    counts = stations.order_by().aggregate(
        stations=Count("pk"),
        connected=Count("pk", filter=~Q(connection="")),
        silent=Count("pk", filter=silent_at(now)),
        faulty=Count("pk", filter=faulty),
    )
    running = ChargingSession.objects.filter(status=ACTIVE, station__in=stations.order_by().values("pk"))
    powers = [power_now(session, now) for session in with_power(running, now).only("meter_start_wh", "started_at")]
    return Totals(**counts, charging=len(powers), power_w=sum(filter(None, powers)))


# --- power


def with_power(sessions: QuerySet[ChargingSession], now: datetime) -> QuerySet[ChargingSession]:
    """Beside each session its last power, and its last two readings (index of the unique constraint)."""
    values = MeterValue.objects.filter(session=OuterRef("pk")).order_by("-sampled_at")
    recent = values.filter(measurand=POWER, sampled_at__gte=now - POWER_HOLDS).values("sampled_at")
    power = recent.annotate(last_w=Coalesce(_greatest(""), _all_phases(), output_field=EXACT)).values("last_w")
    register = values.filter(measurand=REGISTER, phase="")
    return sessions.annotate(
        last_w=Subquery(power[:1]),
        last_wh=Subquery(register.values("value")[:1]),
        last_at=Subquery(register.values("sampled_at")[:1]),
        before_wh=Subquery(register.values("value")[1:2]),
        before_at=Subquery(register.values("sampled_at")[1:2]),
    )


def _greatest(*phases: str) -> Max:
    """In W, of one moment: a value that came twice counts once."""
    watts = Case(When(unit="kW", then=F("value") * 1000), default=F("value"), output_field=EXACT)
    return Max(watts, filter=Q(phase__in=phases))


def _all_phases() -> Any:
    """The sum of the phases."""
    nothing = Value(Decimal(0), output_field=EXACT)
    parts = [Coalesce(_greatest(name, f"{name}-N"), nothing, output_field=EXACT) for name in ("L1", "L2", "L3")]
    return parts[0] + parts[1] + parts[2]


def power_now(session: Any, now: datetime) -> int | None:
    """In W: as it was reported, else the mean between the last two readings; None where nothing was heard lately."""
    if session.last_w is not None:
        return int(session.last_w)
    if session.last_at is None or session.last_at < now - POWER_HOLDS:
        return None
    before_wh = session.meter_start_wh if session.before_wh is None else session.before_wh
    seconds = (session.last_at - (session.before_at or session.started_at)).total_seconds()
    if before_wh is None or seconds <= 0 or session.last_wh < before_wh:
        return None
    return int((session.last_wh - before_wh) * 3600 / Decimal(seconds))
