"""A tariff against charges that were: what they cost, and what they would cost under it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, QuerySet

from common.chart import HEIGHT, WIDTH, nice, y_of
from stations.models import ChargingSession, MeterValue, Site, Tariff
from stations.tariffs.charged import COLUMNS, Value, cost_under

CHARGES_MAX = 300
# Of a charge with more, its meter values are not read: one page would read millions.
VALUES_MAX = 200_000


@dataclass(frozen=True)
class Compared:
    """One charge, in minor units: what it cost (None: nothing was asked) and what it would cost."""

    session: ChargingSession
    paid_minor: int | None
    would_minor: int

    @property
    def energy_kwh(self) -> Decimal:
        """What was charged, exactly."""
        return Decimal(self.session.energy_wh or 0).scaleb(-3)

    @property
    def more_minor(self) -> int:
        """What it would cost more."""
        return self.would_minor - (self.paid_minor or 0)


@dataclass(frozen=True)
class Points:
    """A plot of cost over energy; `top` of it in minor units, `right` in Wh."""

    paid: list[tuple[int, int]]
    would: list[tuple[int, int]]
    top: int
    right: int
    width: int = WIDTH
    height: int = HEIGHT


def charges_of(tariff: Tariff, *, begin: datetime, end: datetime, site: Site | None) -> QuerySet[ChargingSession]:
    """The billed charges, newest first, that began then, in the tariff's currency or without any price."""
    rows = ChargingSession.objects.filter(status="COMPLETED", credit=False, started_at__gte=begin, started_at__lt=end)
    rows = rows.filter(currency__in=(tariff.currency, "")).order_by("-started_at", "-pk")
    return rows.filter(station__site=site) if site else rows


def compared(tariff: Tariff, sessions: Sequence[ChargingSession]) -> list[Compared]:
    """Two queries, however many. Raises TariffError where the tariff's elements are none."""
    snapshot, values = tariff.snapshot(), _values_of(sessions)
    return [
        Compared(session, session.cost_minor, cost_under(snapshot, session, values.get(session.pk, [])).minor)
        for session in sessions
    ]


def _values_of(sessions: Sequence[ChargingSession]) -> dict[UUID, list[Value]]:
    """Their meter values, as far as they are not more than a page should read."""
    counted = MeterValue.objects.filter(session__in=sessions).order_by().values("session").annotate(count=Count("pk"))
    wanted, left = [], VALUES_MAX
    for pk, count in sorted(counted.values_list("session", "count"), key=lambda pair: (pair[1], str(pair[0]))):
        if (left := left - count) >= 0:
            wanted.append(pk)
    found: dict[UUID, list[Value]] = {}
    rows = MeterValue.objects.filter(session__in=wanted).order_by().values_list("session", *COLUMNS)
    for pk, at, measurand, value, unit, phase in rows.iterator(chunk_size=5000):
        found.setdefault(pk, []).append((at, measurand, value, unit, phase))
    return found


def points_of(rows: Sequence[Compared]) -> Points:
    """Where the charges lie: energy to the right, cost upwards."""
    top = nice(max((max(row.would_minor, row.paid_minor or 0) for row in rows), default=0)) or 1
    right = nice(max((row.session.energy_wh or 0 for row in rows), default=0)) or 1
    paid = [_point(row, row.paid_minor, top, right) for row in rows if row.paid_minor is not None]
    return Points(paid, [_point(row, row.would_minor, top, right) for row in rows], top, right)


def _point(row: Compared, minor: int, top: int, right: int) -> tuple[int, int]:
    return (row.session.energy_wh or 0) * WIDTH // right, y_of(max(minor, 0), top, 0)
