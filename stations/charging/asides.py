"""Sets aside what a station said and nobody understands, or can decide: counted, with the last example kept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from stations.models import SetAside, Station

SUBJECTS_MAX = 100  # a station; whoever invents words without end is counted in one row
EVERYTHING_ELSE = "…"
EXAMPLE_MAX = 2000


@dataclass(frozen=True)
class Aside:
    """`subject`: what it is counted by, up to 60 letters; `index`: where it stood in a list."""

    subject: str
    reason: str
    said: Any  # as it came, JSON
    index: int = 0


@transaction.atomic
def set_aside(*, station: Station, kind: SetAside.Kind, asides: Sequence[Aside]) -> None:
    """Count them; a row that an operator had settled is open again."""
    for subject in dict.fromkeys(aside.subject for aside in asides):
        same = [aside for aside in asides if aside.subject == subject]
        row = _row(station, kind, subject[:60])
        now, last = timezone.now(), same[-1]
        SetAside.objects.filter(pk=row.pk).update(
            count=F("count") + len(same),
            reason=last.reason[:500],
            example=json.dumps(last.said, default=str)[:EXAMPLE_MAX],
            last_at=now,
            settled_at=None,
            settled_by=None,
        )


def _row(station: Station, kind: SetAside.Kind, subject: str) -> SetAside:
    rows = SetAside.objects.filter(station=station, kind=kind)
    known = rows.filter(subject=subject).first()
    if known is None and rows.count() >= SUBJECTS_MAX:
        subject = EVERYTHING_ELSE
    return known or SetAside.objects.get_or_create(station=station, kind=kind, subject=subject)[0]


def aside_settle(*, row: SetAside, by: User | None) -> None:
    """An operator has seen to it."""
    SetAside.objects.filter(pk=row.pk, settled_at=None).update(settled_at=timezone.now(), settled_by=by)
