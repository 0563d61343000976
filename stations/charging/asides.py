"""Sets aside what a station said and nobody understands, or can decide: counted, with the last example kept."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from stations.charging.vocabulary import Aside as Aside
from stations.models import ChargingSession, SetAside, Station

SUBJECTS_MAX = 100  # a station; whoever invents words without end is counted in one row
EVERYTHING_ELSE = "…"
EXAMPLE_MAX = 2000


@dataclass(frozen=True)
class SaidOf:
    """One of many, of many stations."""

    station: Station
    kind: SetAside.Kind
    aside: Aside

    @property
    def key(self) -> tuple[int, str, str]:
        """The row in which it is counted."""
        return (self.station.pk, self.kind.value, self.aside.subject[:60])


def set_aside(*, station: Station, kind: SetAside.Kind, asides: Sequence[Aside]) -> None:
    """Count them; a row that an operator had settled is open again."""
    set_aside_many([SaidOf(station, kind, aside) for aside in asides])


@transaction.atomic
def set_aside_many(said: Sequence[SaidOf]) -> None:
    """The same of many stations at once: two queries, and some more for what a station never said before."""
    if not said:
        return
    rows = _rows(said)
    counts = Counter(rows[one.key].pk for one in said)
    last = {rows[one.key].pk: (rows[one.key], one.aside) for one in said}
    now = timezone.now()
    for row, aside in last.values():
        row.count = F("count") + counts[row.pk]
        row.reason, row.example = aside.reason[:500], json.dumps(aside.said, default=str)[:EXAMPLE_MAX]
        row.last_at, row.settled_at, row.settled_by = now, None, None
    written = ["count", "reason", "example", "last_at", "settled_at", "settled_by"]
    SetAside.objects.bulk_update([last[pk][0] for pk in sorted(last)], written, batch_size=200)


def _rows(said: Sequence[SaidOf]) -> dict[tuple[int, str, str], SetAside]:
    """The row of each; made where there is none yet, within a station's bounds."""
    keys = {one.key for one in said}
    stations, subjects = {key[0] for key in keys}, {key[2] for key in keys}
    known = SetAside.objects.filter(station__in=stations, subject__in=subjects)
    rows = {(row.station_id or 0, row.kind, row.subject): row for row in known}
    for one in said:
        if one.key not in rows:
            rows[one.key] = _row_new(one)
    return rows


def _row_new(one: SaidOf) -> SetAside:
    _, kind, subject = one.key
    if SetAside.objects.filter(station=one.station, kind=kind).count() >= SUBJECTS_MAX:
        subject = EVERYTHING_ELSE
    return SetAside.objects.get_or_create(station=one.station, kind=kind, subject=subject)[0]


def late_set_aside(session: ChargingSession, what: str, reason: str, said: Any) -> None:
    """Keep for an operator what was said of a session that had been ended without its station."""
    aside = Aside(f"{session.transaction_id} {what}", reason, said)
    set_aside(station=session.station, kind=SetAside.Kind.LATE, asides=[aside])


def aside_settle(*, row: SetAside, by: User | None) -> None:
    """An operator has seen to it."""
    SetAside.objects.filter(pk=row.pk, settled_at=None).update(settled_at=timezone.now(), settled_by=by)
