"""A site's limit as it is now, for the page that shows it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from common.chart import WIDTH, Line, line_of
from stations.load.held import on_fullest
from stations.load.schedule import Schedule
from stations.load.services import schedule_of
from stations.load.words import reason_words
from stations.models import LimitedOutlet, OutletLimit, SiteLimit


@dataclass(frozen=True)
class Step:
    """From when to when which limit, by the site's clock."""

    start: datetime
    end: datetime
    amperes: int


@dataclass(frozen=True)
class Day:
    """The schedule of a day of the site's calendar; `at`: where now is below the line, 0 to WIDTH."""

    steps: list[Step]
    line: Line
    ticks: list[datetime]
    at: int


def limit_now(limit: SiteLimit, now: datetime | None = None) -> dict[str, Any]:
    """What the page tells."""
    now = now or timezone.now()
    schedule = schedule_of(limit)
    outlets = [_outlet(row) for row in _rows(limit)]
    coming = [(at, amperes) for at, amperes in schedule.steps(now, now + timedelta(days=1))][1:2]
    return {
        "limit": limit,
        "amperes": schedule.at(now),
        "next": [Step(at.astimezone(schedule.zone), at, amperes) for at, amperes in coming],
        "outlets": outlets,
        "drawn": on_fullest((one["row"].lines, one["drawn"]) for one in outlets),
        "most": on_fullest((one["row"].lines, one["most"]) for one in outlets),
        "looked_at": max((row["looked_at"] for row in outlets if row["looked_at"]), default=None),
        "day": day_of(schedule, now),
    }


def _rows(limit: SiteLimit) -> list[LimitedOutlet]:
    rows = LimitedOutlet.objects.filter(station__site=limit.site).select_related("station", "session")
    return list(rows.prefetch_related("told__command").order_by("station__identity", "evse_id"))


def _outlet(row: LimitedOutlet) -> dict[str, Any]:
    return {
        "row": row,
        "share": row.share_a,
        "most": row.most_a,
        "drawn": row.drawn_a,
        "reason": reason_words(row.reason),
        "looked_at": row.looked_at,
        "told": [told for told in row.told.all() if _says_something(told)],
    }


def _says_something(told: OutletLimit) -> bool:
    return told.amperes is not None or told.asked_amperes is not None or told.refused_at is not None


def day_of(schedule: Schedule, now: datetime) -> Day:
    """Today, from midnight to midnight of the site."""
    begin, end = schedule.day(now.astimezone(schedule.zone).date())
    found = list(schedule.steps(begin, end))
    ends = [*(at for at, _ in found[1:]), end]
    steps = [
        Step(start.astimezone(schedule.zone), until.astimezone(schedule.zone), amperes)
        for (start, amperes), until in zip(found, ends, strict=True)
    ]
    points = []
    for (start, amperes), until in zip(found, ends, strict=True):
        points += [(_place(start, begin, end), amperes), (_place(until, begin, end), amperes)]
    ticks = [(begin + (end - begin) * quarter / 4).astimezone(schedule.zone) for quarter in range(5)]
    return Day(steps, line_of(points), ticks, _place(now, begin, end))


def _place(moment: datetime, begin: datetime, end: datetime) -> int:
    return (moment - begin) * WIDTH // (end - begin)
