"""How the log grew: how many entries it had at the end of each day, or each hour while it is young."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Max
from django.db.models.functions import TruncDay, TruncHour

from common.chart import WIDTH, Line, line_of
from ledger.models import LogCheckpoint
from stations.remembering import remembered

DAYS, HOURS = 30, 48
REMEMBERED_FOR_S = 60
Points = Sequence[tuple[datetime, int]]


@dataclass(frozen=True)
class Growth:
    """`points` are times and the entries that there were by then, in the order of time; `line` draws them."""

    points: Points
    line: Line
    is_hourly: bool

    @property
    def first(self) -> tuple[datetime, int]:
        return self.points[0]

    @property
    def last(self) -> tuple[datetime, int]:
        return self.points[-1]

    @property
    def newest_first(self) -> Points:
        return self.points[::-1]


def growth(now: datetime) -> Growth | None:
    """Of the last 30 days (UTC), or two days where the log is not older; None where nothing was published yet."""
    is_hourly, points = remembered("log:growth", REMEMBERED_FOR_S, lambda: _points(now))
    if not points:
        return None
    first, span = points[0][0], (points[-1][0] - points[0][0]) or timedelta(1)
    placed = [(round(WIDTH * ((at - first) / span)), size) for at, size in points]
    if len(placed) == 1:
        placed = [(0, points[0][1]), (WIDTH, points[0][1])]
    return Growth(points, line_of(placed), is_hourly)


def _points(now: datetime) -> tuple[bool, list[tuple[datetime, int]]]:
    """Whether they are of hours, and one for each day or hour, also where nothing came."""
    published = LogCheckpoint.objects.filter(published_at__isnull=False)
    begun = published.order_by("published_at").values_list("published_at", flat=True).first()
    if begun is None:
        return False, []
    is_hourly = now - begun < timedelta(hours=HOURS)
    step, trunc = (timedelta(hours=1), TruncHour) if is_hourly else (timedelta(days=1), TruncDay)
    since = max(begun, now - step * (HOURS if is_hourly else DAYS))
    lately = published.filter(published_at__gte=since).order_by()
    by_part = lately.values(part=trunc("published_at", tzinfo=UTC)).annotate(size=Max("size"))
    sizes = dict(by_part.values_list("part", "size"))
    before = published.filter(published_at__lt=since).order_by("-published_at").values_list("size", flat=True).first()
    return is_hourly, _filled(sizes, before or 0, since, now, step)


def _filled(
    sizes: dict[datetime, int], size: int, since: datetime, now: datetime, step: timedelta
) -> list[tuple[datetime, int]]:
    whole = {"minute": 0, "second": 0, "microsecond": 0} | ({"hour": 0} if step >= timedelta(days=1) else {})
    at, points = since.replace(**whole), []  # type: ignore[arg-type]
    while at <= now:
        size = max(size, sizes.get(at, 0))
        points.append((at, size))
        at += step
    return points
