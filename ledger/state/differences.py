"""What differs between a session and its record, field by field, as people read it: 0.00 USD, not cost_minor 0."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from ledger import record
from ledger.errors import RecordError
from ledger.kept import kept_record
from ledger.models import LedgerEntry
from ledger.state.labels import field_name
from stations.cards.words import token_name
from stations.charging import words
from stations.models import ChargingSession
from stations.zones import zone_named

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """`field` is its name in the record, `name` in words; `recorded` and `now` as texts."""

    field: str
    name: str
    recorded: str
    now: str


def differences_of(session: ChargingSession, entry: LedgerEntry | None) -> list[Difference]:
    """What no longer equals the record; [] where nothing differs, or the record cannot be read any more."""
    kept = kept_record(entry) if entry else None
    if kept is None:
        return []
    now = _record_now(session, kept)
    return [
        _difference(name, kept, now) for name in sorted(kept.keys() | now.keys()) if kept.get(name) != now.get(name)
    ]


def _record_now(session: ChargingSession, kept: Record) -> Record:
    """The record that this row would have; of a row that has none, because it is open again, only that."""
    try:
        return record.record_of(session)
    except RecordError:
        return {**kept, "status": session.status}


def _difference(name: str, kept: Record, now: Record) -> Difference:
    before, after = _text(name, kept), _text(name, now)
    if before == after:  # too small a difference for these words
        before, after = str(kept.get(name)), str(now.get(name))
    return Difference(name, field_name(name), before, after)


def _text(name: str, fields: Record) -> str:
    value = fields.get(name)
    if value is None:
        return gettext("not stated")
    try:
        return _WORDS.get(name, _plain)(value, fields)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):  # somebody spoilt it
        return str(value)


def _plain(value: Any, fields: Record) -> str:
    return ", ".join(f"{name}: {item}" for name, item in value.items()) if isinstance(value, Mapping) else str(value)


def _energy(value: Any, fields: Record) -> str:
    return f"{words.kwh_exact(value)} kWh"


def _cost(value: Any, fields: Record) -> str:
    return words.money(value, str(fields.get("currency", "")))


def _moment(value: Any, fields: Record) -> str:
    place = fields.get("location")
    where = zone_named(place.get("time_zone") if isinstance(place, Mapping) else None)
    return words.moment_text(datetime.fromisoformat(value), where)


def _place(value: Any, fields: Record) -> str:
    return ", ".join(str(value[name]) for name in ("name", "id", "country", "time_zone") if value.get(name))


def _token(value: Any, fields: Record) -> str:
    return token_name(value["type"], value["uid"])


def _status(value: Any, fields: Record) -> str:
    return str(ChargingSession.Status(value).label)


def _flags(value: Any, fields: Record) -> str:
    return " ".join(words.flag_text(flag) for flag in value)


def _stop(value: Any, fields: Record) -> str:
    return str(words.STOPS.get(value, value))


def _source(value: Any, fields: Record) -> str:
    return str(words.SOURCES.get(value, value))


_WORDS: dict[str, Callable[[Any, Record], str]] = {
    **dict.fromkeys(("energy_wh", "meter_start_wh", "meter_stop_wh"), _energy),
    **dict.fromkeys(("started_at", "stopped_at"), _moment),
    "cost_minor": _cost,
    "location": _place,
    "id_token": _token,
    "status": _status,
    "flags": _flags,
    "stop_reason": _stop,
    "source": _source,
}
