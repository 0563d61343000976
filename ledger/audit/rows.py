"""What an audit reads of the database: entries by the chunk, as tuples, with what hangs on them. No objects."""

import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Count, TextField
from django.db.models.functions import Cast

from ledger.audit.comparison import Entry
from ledger.models import LedgerEntry
from ledger.record import LOOKUPS, Recorded
from stations.charging.meter_digest import lines_sha256, meter_value_line
from stations.models import MeterValue

COLUMNS = (
    *("id", "digest", "salt", "canonical", "conflict", "mismatch", "checked_at", "erased_at"),
    *("erasure_seal", "restored_seal", "transaction_id", "transaction__status"),
    *("data_key_id", "data_key__key_id", "data_key__id_token_id", "data_key__customer_id", "data_key__site__code"),
    *("data_key__closed_at", "data_key__destroyed_at"),
    *("session_id", "session__customer_id", "session__id_token_id", "session__restored_at"),
    *("session__station_id", "session__connector__station_id"),
)
# JSON as text: most sessions have one of a few places and tariffs, so each text is read once.
_JSON = [LOOKUPS.index(name) for name in ("location", "tariff", "flags", "written")]
_OWN_JSON = [LOOKUPS.index(name) for name in ("signed_meter_values", "cost_lines")]  # no two are alike, most are []
_AS_TEXT = {f"{LOOKUPS[index]}_text": Cast(f"session__{LOOKUPS[index]}", TextField()) for index in _JSON + _OWN_JSON}
_ALL = (
    *COLUMNS,
    *(f"{name}_text" if f"{name}_text" in _AS_TEXT else f"session__{name}" for name in LOOKUPS),
)
_BYTES = [COLUMNS.index(name) for name in ("digest", "salt", "canonical", "erasure_seal", "restored_seal")]
_BYTES.append(COLUMNS.index("data_key__key_id"))
_SESSION = COLUMNS.index("session_id")
Row = tuple[Entry, Recorded | None]


def rows_after(position: int, *, limit: int) -> list[Row]:
    """The next entries after this ledger id."""
    return _rows(_found(pk__gt=position)[:limit])


def rows_of(ids: Sequence[int]) -> list[Row]:
    """These entries."""
    return _rows(_found(pk__in=ids))


def _found(**which: Any) -> Any:
    return LedgerEntry.objects.filter(**which).order_by("pk").annotate(**_AS_TEXT).values_list(*_ALL)


@lru_cache(maxsize=4096)
def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _rows(found: Any) -> list[Row]:
    width = len(COLUMNS)
    rows = []
    for values in found:
        own = list(values[:width])
        for index in _BYTES:  # memoryview on PostgreSQL's side of some drivers, bytes on SQLite's
            if own[index] is not None:
                own[index] = bytes(own[index])
        rows.append((Entry._make(own), _session(values[width:]) if own[_SESSION] is not None else None))
    return rows


def _session(values: Sequence[Any]) -> Recorded:
    columns = list(values)
    for index in _JSON:
        columns[index] = _loaded(columns[index])
    for index in _OWN_JSON:
        columns[index] = [] if columns[index] in ("[]", None) else json.loads(columns[index])  # none: no session
    return Recorded._make(columns)


def holders(closed: Collection[int]) -> dict[int, int | None]:
    """Whose the sessions under these closed data keys are: a key that is in use says it itself."""
    counted = LedgerEntry.objects.filter(data_key__in=closed).values_list("data_key", "session__customer")
    found: dict[int, int | None] = {}
    for key, customer, _ in counted.annotate(count=Count("pk")).order_by("count") if closed else []:
        found[key] = customer  # the last one is what most of them say
    return found


_VALUE = ("session_id", "sampled_at", "measurand", "value", "unit", "phase", "context")


def values_sha256(**entries: Any) -> dict[Any, str]:
    """By session, SHA-256 of its meter values where it has any (stations/charging/meter_digest.py); `entries` says of
    which entries."""
    of_entries = {f"session__ledger_entry__{name}": value for name, value in entries.items()}
    found = MeterValue.objects.filter(**of_entries).order_by("session_id").values_list(*_VALUE)
    by_session = groupby(found.iterator(chunk_size=5000), key=itemgetter(0))
    return {pk: lines_sha256(meter_value_line(*value[1:]) for value in values) for pk, values in by_session}
