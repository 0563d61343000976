"""What an audit reads of the database: entries by the chunk, as tuples, with what hangs on them. No objects."""

from collections.abc import Collection, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Count

from ledger.comparison import Entry
from ledger.models import LedgerEntry
from ledger.record import LOOKUPS, Recorded
from stations.meter import lines_sha256, meter_value_line
from stations.models import MeterValue

COLUMNS = (
    *("id", "digest", "salt", "canonical", "conflict", "mismatch", "checked_at", "erased_at"),
    *("erasure_seal", "restored_seal", "transaction_id", "transaction__status"),
    *("data_key_id", "data_key__key_id", "data_key__id_token_id", "data_key__customer_id", "data_key__site__code"),
    *("data_key__closed_at", "data_key__destroyed_at"),
    *("session_id", "session__customer_id", "session__id_token_id", "session__restored_at"),
    *("session__station_id", "session__connector__station_id"),
)
_ALL = (*COLUMNS, *(f"session__{name}" for name in LOOKUPS))
_BYTES = [COLUMNS.index(name) for name in ("digest", "salt", "canonical", "erasure_seal", "restored_seal")]
_BYTES.append(COLUMNS.index("data_key__key_id"))
_SESSION = COLUMNS.index("session_id")
Row = tuple[Entry, Recorded | None]


def rows_after(position: int, *, limit: int) -> list[Row]:
    """The next entries after this ledger id."""
    return _rows(LedgerEntry.objects.filter(pk__gt=position).order_by("pk").values_list(*_ALL)[:limit])


def rows_of(ids: Sequence[int]) -> list[Row]:
    """These entries."""
    return _rows(LedgerEntry.objects.filter(pk__in=ids).order_by("pk").values_list(*_ALL))


def _rows(found: Any) -> list[Row]:
    width = len(COLUMNS)
    rows = []
    for values in found:
        own = list(values[:width])
        for index in _BYTES:  # memoryview on PostgreSQL's side of some drivers, bytes on SQLite's
            if own[index] is not None:
                own[index] = bytes(own[index])
        session = Recorded._make(values[width:]) if own[_SESSION] is not None else None
        rows.append((Entry._make(own), session))
    return rows


def holders(closed: Collection[int]) -> dict[int, int | None]:
    """Whose the sessions under these closed data keys are: a key that is in use says it itself."""
    counted = LedgerEntry.objects.filter(data_key__in=closed).values_list("data_key", "session__customer")
    found: dict[int, int | None] = {}
    for key, customer, _ in counted.annotate(count=Count("pk")).order_by("count") if closed else []:
        found[key] = customer  # the last one is what most of them say
    return found


_VALUE = ("session_id", "sampled_at", "measurand", "value", "unit", "phase", "context")


def values_sha256(sessions: Sequence[Any]) -> dict[Any, str]:
    """SHA-256 of the meter values of each of these sessions that has any (stations/meter.py), in one query."""
    found = MeterValue.objects.filter(session__in=sessions).order_by("session_id").values_list(*_VALUE)
    by_session = groupby(found.iterator(chunk_size=5000), key=itemgetter(0))
    return {pk: lines_sha256(meter_value_line(*value[1:]) for value in values) for pk, values in by_session}
