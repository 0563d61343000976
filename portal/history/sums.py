"""What the history page asks of the database, and the sums that it makes of the answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, OuterRef, Q, Subquery, Sum
from django.db.models.functions import TruncDate

from accounts.models import User
from ledger.state.counting import KEYS, counted_groups
from portal.reading import Used
from stations.cards.words import token_name
from stations.charging.words import zone_named
from stations.models import ChargingSession, ChargingSessionQuerySet, MeterValue, Site

CHARGING_SHOWN = 10


def sees_all(user: User) -> bool:
    """Whether this reader sees everybody's sessions; asks no database about a driver."""
    return user.is_staff and user.has_perm("stations.view_chargingsession")


def midnight(day: date, where: ZoneInfo) -> datetime:
    """The first moment of the day there, in UTC."""
    return datetime.combine(day, time(), where).astimezone(UTC)


def newest(sessions: ChargingSessionQuerySet) -> ChargingSession | None:
    return sessions.only("started_at", "location").first()


def reading_zone(user: User, latest: object) -> ZoneInfo:
    """Where days and months begin for this reader: his own zone, else `latest`, the one of his newest session."""
    return zone_named(user.time_zone or latest)


# --- What there is to choose from


@dataclass(frozen=True)
class Choices:
    """(value, label) of what a filter can name. None: too many to list, the reader types it."""

    sites: list[tuple[str, str]]
    stations: list[tuple[str, str]] | None = None
    tokens: list[tuple[str, str]] | None = None


_USED = (
    *("station__site__code", "station__site__name", "location__time_zone", "station_id", "station__identity"),
    *("connector_id", "connector__evse_id", "connector__connector_id", "id_token_id"),
    *("id_token__uid", "id_token__type"),
)


def used_by(sessions: ChargingSessionQuerySet) -> list[Used]:
    """Where and with what these were charged. A driver's are few; of everybody's there would be too many."""
    return [Used(*row) for row in sessions.order_by().values_list(*_USED).annotate(newest=Max("started_at"))]


def latest_zone(used: Sequence[Used]) -> str | None:
    """The name of the zone where they charged last."""
    newest = max(used, key=lambda one: one.newest, default=None)
    return newest.time_zone if newest else None


def choices_of(used: Sequence[Used]) -> Choices:
    return Choices(
        sites=_by_label((one.site, one.site_name) for one in used),
        stations=_by_label((one.station, one.station) for one in used),
        tokens=_by_label((one.uid, token_name(one.type or "", one.uid)) for one in used if one.uid),
    )


def choices_of_everybody() -> Choices:
    """All sites; the rest is typed."""
    return Choices([(site.code, site.name) for site in Site.objects.only("code", "name")])


def _by_label(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(dict(pairs).items(), key=lambda pair: (pair[1].casefold(), pair[0]))


# --- Sums


@dataclass
class Totals:
    """Sums of what counts; `costs` is a list of (minor units, currency), never added over currencies.

    `rows`: how many a list has, with what does not count. `differing`: of those that count, how many differ from their
    record, whose figures are used; `left_out`: of how many the record is altered itself, so that none are known.
    """

    sessions: int = 0
    energy_wh: int = 0
    by_currency: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    differing: int = 0
    left_out: int = 0

    @property
    def costs(self) -> list[tuple[int, str]]:
        return [(self.by_currency[currency], currency) for currency in sorted(self.by_currency)]

    def add(self, group: Mapping[str, Any]) -> None:
        self.sessions += group["sessions"]
        self.energy_wh += group["energy"] or 0
        self.rows += group.get("rows", 0)
        self.differing += group.get("differing", 0)
        self.left_out += group.get("left_out", 0)
        if group["currency"]:
            self.by_currency[group["currency"]] = self.by_currency.get(group["currency"], 0) + (group["cost"] or 0)


def totals_of(groups: Iterable[Mapping[str, Any]]) -> Totals:
    found = Totals()
    for group in groups:
        found.add(group)
    return found


_ACTIVE = Q(status=ChargingSession.Status.ACTIVE)
_SUMS = {"sessions": Count("pk", filter=~_ACTIVE), "energy": Sum("energy_wh"), "cost": Sum("cost_minor")}


def by_day(sessions: ChargingSessionQuerySet, where: ZoneInfo) -> Sequence[Mapping[str, Any]]:
    """The sums of finished sessions, groups of a day and currency, the oldest first; `charging` counts the others.

    One query, from which totals, months, years and bars all come: they cannot disagree.
    """
    day = TruncDate("started_at", tzinfo=as_databases_know(where))
    groups = sessions.order_by().values("currency", day=day, **KEYS)
    summed = groups.annotate(**_SUMS, charging=Count("pk", filter=_ACTIVE)).order_by("day", "currency")
    return list(counted_groups(summed))


def as_databases_know(where: ZoneInfo) -> tzinfo:
    """Django takes "Etc/GMT+11" for "Etc/GMT" and an offset of 11 hours, of the other sign: say the offset itself."""
    offset = datetime(2000, 1, 1, tzinfo=where).utcoffset()
    return timezone(offset) if where.key.startswith("Etc/GMT") and offset else where


# --- What charges now


def charging(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
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
    return found.order_by("-started_at", "-id")[:CHARGING_SHOWN]


def _last(measurand: str) -> Any:
    values = MeterValue.objects.filter(session=OuterRef("pk"), measurand=measurand, phase="")
    return values.order_by("-sampled_at", "-id")
