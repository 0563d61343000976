"""What the admin's home shows of stations and sessions: few queries, each over an index, however long the history."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, F, Q, QuerySet, Sum, When
from django.utils import timezone

from accounts.models import User
from stations.charging.corrections import counting
from stations.models import ChargingSession, Connector, SetAside, Station, StationRefusal
from stations.models.imports import ImportRun
from stations.park.live import FAULTY
from stations.park.refusals import refusals_waiting
from stations.remembering import remembered
from stations.zones import zone_named

FIGURES_FOR_S = 30
SILENT_SHOWN = 10
IMPORTS_SHOWN = 3
ASIDE_SHOWN = 5
FAULTS_SHOWN = REFUSALS_SHOWN = 5


@dataclass
class Figures:
    """Sessions that started in a period, a corrected one once; energy in Wh."""

    sessions: int = 0
    energy_wh: int = 0


@dataclass
class Overview:
    """`at`: when the figures were read, for they are remembered for half a minute."""

    at: datetime
    today: Figures = field(default_factory=Figures)
    yesterday: Figures = field(default_factory=Figures)
    month: Figures = field(default_factory=Figures)
    last_month: Figures = field(default_factory=Figures)


def overview_for(user: User) -> Overview:
    """The figures by the days and months of this person's zone (UTC where they have none)."""
    where = zone_named(user.time_zone)
    return remembered(f"overview:{where.key}", FIGURES_FOR_S, lambda: overview(where))


def overview(where: ZoneInfo) -> Overview:
    """One query over the sessions since the last month began (index session_newest)."""
    now = timezone.now()
    today = now.astimezone(where).date()
    month = today.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    periods = {
        "today": _between(today, None, where),
        "yesterday": _between(today - timedelta(days=1), today, where),
        "month": _between(month, None, where),
        "last_month": _between(last_month, month, where),
    }
    sums: dict[str, Any] = {f"{name}_sessions": Count("pk", filter=when) for name, when in periods.items()}
    sums |= {f"{name}_energy": Sum("energy_wh", filter=when) for name, when in periods.items()}
    since = ChargingSession.objects.filter(started_at__gte=_midnight(last_month, where))
    found = counting(since).aggregate(**sums)
    figures = {name: Figures(found[f"{name}_sessions"], found[f"{name}_energy"] or 0) for name in periods}
    return Overview(now, **figures)


def _between(first: date, end: date | None, where: ZoneInfo) -> Q:
    after = Q(started_at__gte=_midnight(first, where))
    return after if end is None else after & Q(started_at__lt=_midnight(end, where))


def _midnight(day: date, where: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), where)


def active_now() -> int:
    """Sessions that are charging (partial index session_active)."""
    return ChargingSession.objects.filter(status=ChargingSession.Status.ACTIVE).count()


def silent_stations() -> QuerySet[Station]:
    """Stations that were heard before, may connect and are silent for longer than usual, the longest first."""
    return (
        Station.objects.silent(timezone.now())
        .filter(enabled=True)
        .select_related("site")
        .order_by(F("last_seen_at").asc())
    )


def set_aside_open() -> QuerySet[SetAside]:
    """What nobody has seen to, what needs a person first (partial index set_aside_open)."""
    needs = Case(When(kind__in=SetAside.WAITING, then=0), default=1)
    rows = SetAside.objects.filter(settled_at=None).select_related("station__site")
    return rows.order_by(needs, "-last_at")


def latest_imports() -> list[ImportRun]:
    """The newest few, with who uploaded them."""
    return list(ImportRun.objects.select_related("uploaded_by")[:IMPORTS_SHOWN])


def faults_now() -> list[Station]:
    """Stations with an outlet that reports an error and that may connect; a few of them."""
    outlets = Connector.objects.filter(FAULTY).order_by()
    stations = Station.objects.filter(enabled=True, pk__in=outlets.values("station")).select_related("site")
    return list(stations.order_by("identity")[: FAULTS_SHOWN + 1])


def refusals_now() -> list[StationRefusal]:
    """Who was not let in lately and still is not; a few of them, the newest first."""
    return list(refusals_waiting().order_by("-last_at")[: REFUSALS_SHOWN + 1])
