"""What stations tell of themselves besides charges is kept, in bounds; the same message again is the same event."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from common.database.inserting import rows_insert
from stations.metering.registering import Told, variables_told
from stations.models import Station, StationEvent, StationVariable

WORDS_MAX = 500
DATA_MAX = 4000  # letters of JSON
SAME_WITHIN = timedelta(days=1)


def plain_text(said: object, longest: int) -> str:
    """A station's text as it can be stored and shown: without control characters (NUL is none for PostgreSQL)."""
    text = "" if said is None else str(said)
    return "".join(sign if sign.isprintable() else " " for sign in text[: longest * 2]).strip()[:longest]


def event_note(
    *,
    station: Station,
    kind: StationEvent.Kind,
    words: str,
    at: datetime | None = None,
    severity: StationEvent.Severity = StationEvent.Severity.INFO,
    data: dict[str, Any] | None = None,
) -> StationEvent:
    """Keep it; told again (same time, kind, words and data) it is the one that is there.

    `data`: JSON, cut where it is large. Who has no time of its own for it puts the message's id into `data`.
    """
    new = event_of(station=station, kind=kind, words=words, at=at or timezone.now(), severity=severity, data=data)
    rows = StationEvent.objects.filter(station=station, kind=kind, words=new.words)
    near = rows.filter(at__gte=new.at - SAME_WITHIN, at__lte=new.at + SAME_WITHIN)
    for same in near[:20]:
        if same.data == new.data and (same.at == new.at or "message_id" in same.data):
            return same
    new.save(force_insert=True)
    return new


def event_of(
    *,
    station: Station,
    kind: StationEvent.Kind,
    words: str,
    at: datetime,
    severity: StationEvent.Severity = StationEvent.Severity.INFO,
    data: dict[str, Any] | None = None,
) -> StationEvent:
    """As it is stored, and not stored here."""
    told = {"words": plain_text(words, WORDS_MAX), "data": _bounded(data or {})}
    return StationEvent(station=station, at=at, kind=kind, severity=severity, **told)


def events_new(events: Sequence[StationEvent]) -> None:
    """Store these, which are new: they happened when we heard of them, so none was told before."""
    rows_insert(events)


def _bounded(data: dict[str, Any]) -> dict[str, Any]:
    """JSON that every database takes; what is too large is cut to a text."""
    clean: dict[str, Any] = _clean(data)
    text = json.dumps(clean)
    if len(text) <= DATA_MAX:
        return clean
    return {"cut": text[:DATA_MAX]} | {name: clean[name] for name in ("message_id",) if name in clean}


def _clean(said: Any) -> Any:
    if isinstance(said, dict):
        return {plain_text(name, 100): _clean(value) for name, value in said.items()}
    if isinstance(said, list):
        return [_clean(value) for value in said]
    return plain_text(said, DATA_MAX) if isinstance(said, str) else said


# --- Configuration


@dataclass(frozen=True)
class Variable:
    """One value of a station's configuration, named as StationVariable names it; a key of 1.6 has no component."""

    variable: str
    value: str = ""
    component: str = ""
    component_instance: str = ""
    evse_id: int = 0
    connector_id: int = 0
    instance: str = ""
    attribute: str = "Actual"
    mutability: str = "ReadWrite"
    data_type: str = ""
    unit: str = ""


KEY = (
    *("station", "component", "component_instance", "evse_id", "connector_id"),
    *("variable", "instance", "attribute"),
)
TOLD = ("value", "mutability", "data_type", "unit", "reported_at")
VARIABLES_MAX = 5000  # a station


def variables_report(station: Station, variables: Sequence[Variable], at: datetime | None = None) -> int:
    """Store what the station says of its configuration; returns how many were stored. What was there is replaced.

    A password is never kept, also where a station tells it that should not.
    """
    free = VARIABLES_MAX - StationVariable.objects.filter(station=station).count()
    rows = {}
    for one in variables:
        is_secret = one.mutability == "WriteOnly" or one.variable.lower() in StationVariable.SECRET
        value = "" if is_secret else plain_text(one.value, 2500)
        row = StationVariable(station=station, reported_at=at or timezone.now(), **vars(one) | {"value": value})
        rows[tuple(getattr(row, name) for name in KEY[1:])] = row
    if free < len(rows):
        known = {tuple(values) for values in StationVariable.objects.filter(station=station).values_list(*KEY[1:])}
        new = [key for key in rows if key not in known]
        for key in new[max(free, 0) :]:
            del rows[key]
    StationVariable.objects.bulk_create(rows.values(), update_conflicts=True, update_fields=TOLD, unique_fields=KEY)
    variables_told(station, [Told(one.component, one.variable, one.evse_id, one.value) for one in variables])
    return len(rows)
