"""First step of the history: which sessions a reader sees, what the filter can name, and where the reader's days begin.

One query for a driver, two for who sees everybody's sessions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from datetime import timezone as fixed_zone
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Max
from django.utils import timezone

from accounts.models import User
from stations.cards.words import token_name
from stations.charging.words import zone
from stations.models import ChargingSession, ChargingSessionQuerySet, Site
from stations.zones import zone_named


@dataclass(frozen=True)
class Choices:
    """(value, label) of what a filter can name. None: too many to list, the reader types it."""

    sites: list[tuple[str, str]]
    stations: list[tuple[str, str]] | None = None
    tokens: list[tuple[str, str]] | None = None


class Used(NamedTuple):
    """An outlet and a token that charged together, where that was, and when the last time."""

    site: str
    site_name: str
    time_zone: str | None
    station_id: int
    station: str
    outlet_id: int
    evse_id: int
    connector_id: int
    token_id: int | None
    uid: str | None
    type: str | None
    newest: datetime


_USED = (
    *("station__site__code", "station__site__name", "location__time_zone", "station_id", "station__identity"),
    *("connector_id", "connector__evse_id", "connector__connector_id", "id_token_id"),
    *("id_token__uid", "id_token__type"),
)


@dataclass(frozen=True)
class Visible:
    """`sessions` are all that the reader may see, and `newest` is when the last of them began: None without any.

    `used`: with what they were charged; [] for who sees everybody's, which are too many to list.
    """

    user: User
    everybody: bool
    sessions: ChargingSessionQuerySet
    used: Sequence[Used]
    newest: datetime | None
    where: ZoneInfo
    today: date
    choices: Choices


def visible_for(user: User) -> Visible:
    """What this reader sees: a driver their own, staff with the right to it everybody's."""
    sessions = ChargingSession.objects.visible_to(user)
    if user.is_staff and user.has_perm("stations.view_chargingsession"):  # asks no database about a driver
        return _everybodys(user, sessions)
    return _own(user, sessions)


def _everybodys(user: User, sessions: ChargingSessionQuerySet) -> Visible:
    latest = newest(sessions)
    where = reading_zone(user, zone(latest).key if latest else None)
    choices = Choices([(site.code, site.name) for site in Site.objects.only("code", "name")])
    return Visible(user, True, sessions, [], latest.started_at if latest else None, where, _today(where), choices)


def _own(user: User, sessions: ChargingSessionQuerySet) -> Visible:
    used = used_by(sessions)
    latest = max(used, key=lambda one: one.newest, default=None)
    where = reading_zone(user, latest.time_zone if latest else None)
    return Visible(
        user, False, sessions, used, latest.newest if latest else None, where, _today(where), _choices_of(used)
    )


def _today(where: ZoneInfo) -> date:
    return timezone.now().astimezone(where).date()


def newest(sessions: ChargingSessionQuerySet) -> ChargingSession | None:
    """The one that began last, with its beginning and place only."""
    return sessions.only("started_at", "location").first()


def reading_zone(user: User, latest: object) -> ZoneInfo:
    """Where days and months begin for this reader: their own zone, else `latest`, the one of their newest session."""
    return zone_named(user.time_zone or latest)


def as_databases_know(where: ZoneInfo) -> tzinfo:
    """Django takes "Etc/GMT+11" for "Etc/GMT" and an offset of 11 hours, of the other sign: say the offset itself."""
    offset = datetime(2000, 1, 1, tzinfo=where).utcoffset()
    return fixed_zone(offset) if where.key.startswith("Etc/GMT") and offset else where


def used_by(sessions: ChargingSessionQuerySet) -> list[Used]:
    """Where and with what these were charged. A driver's are few; of everybody's there would be too many."""
    return [Used(*row) for row in sessions.order_by().values_list(*_USED).annotate(newest=Max("started_at"))]


def _choices_of(used: Sequence[Used]) -> Choices:
    return Choices(
        sites=_by_label((one.site, one.site_name) for one in used),
        stations=_by_label((one.station, one.station) for one in used),
        tokens=_by_label((one.uid, token_name(one.type or "", one.uid)) for one in used if one.uid),
    )


def _by_label(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(dict(pairs).items(), key=lambda pair: (pair[1].casefold(), pair[0]))
