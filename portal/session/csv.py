"""History and meter values as CSV: names of columns, codes and ISO 8601 times are the same in every language."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from common import csv_files
from ledger.record import utc_text
from ledger.state.counting import counted_of, record_word
from ledger.state.labels import LABELS_PLAIN
from ledger.state.words import entry_of, finding_of
from stations.charging.corrections import credited_by, with_credits
from stations.charging.words import place, zone
from stations.models import ChargingSession, ChargingSessionQuerySet, MeterValue

COLUMNS = (
    *("session_id", "started_at", "stopped_at", "time_zone", "site", "station", "evse_id", "connector_id"),
    *("transaction_id", "energy_wh", "cost_minor", "currency", "status", "flags"),
    *("record_state", "ledger_id", "block_num", "chain_transaction_id"),
    # What sums count, empty where a session does not: these columns add up to what pages and papers say.
    *("record", "credited_by", "counted_energy_wh", "counted_cost_minor", "counted_currency"),
    # What the meter signed, as the record has it; the import of another EVPortal reads it.
    "signed_meter_values",
)
METER_COLUMNS = ("session_id", "sampled_at", "measurand", "phase", "context", "value", "unit")
CHUNK = 500


def csv_lines(sessions: ChargingSessionQuerySet) -> Iterator[str]:
    """One line a session, made as they are asked for: the database hands out CHUNK rows at a time."""
    rows = (_row(session) for session in with_credits(sessions).iterator(chunk_size=CHUNK))
    return csv_files.csv_lines(COLUMNS, rows)


def meter_csv_lines(session: ChargingSession) -> Iterator[str]:
    """One line a meter value of the session, in the order of time."""
    values = session.meter_values.iterator(chunk_size=CHUNK)
    return csv_files.csv_lines(METER_COLUMNS, (_meter_row(value) for value in values))


def _meter_row(value: MeterValue) -> tuple[Any, ...]:
    exact = Decimal(f"{value.value.normalize():f}")  # without trailing zeros, and without an exponent
    at = utc_text(value.sampled_at)
    return (value.session_id, at, value.measurand, value.phase, value.context, exact, value.unit)


def _row(session: ChargingSession) -> tuple[Any, ...]:
    entry, kind = entry_of(session), finding_of(session)[0]
    chained, counted = entry.transaction if entry else None, counted_of(session, differs=kind == "mismatch")
    return (
        *(session.pk, utc_text(session.started_at), utc_text(session.stopped_at) if session.stopped_at else None),
        *(zone(session).key, place(session), session.station.identity),
        *(session.connector.evse_id, session.connector.connector_id, session.transaction_id),
        *(session.energy_wh, session.cost_minor, session.currency, session.status, " ".join(map(str, session.flags))),
        *(LABELS_PLAIN[kind], entry.pk if entry else None),
        *((chained.block_num, chained.transaction_id) if chained else (None, None)),
        *(record_word(counted, kind), credited_by(session)),
        *(counted.energy_wh, counted.cost_minor, counted.currency if counted.counts else None),
        json.dumps(session.signed_meter_values, ensure_ascii=False) if session.signed_meter_values else None,
    )
