"""What was recorded of a session, as its ledger entry keeps it: whether the copy is whole, and the session it tells of.

A row that was changed afterwards says something else; what counts is what was recorded.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger import record
from ledger.errors import RecordError
from ledger.models import LedgerEntry
from stations.models import ChargingSession, Connector, IdToken, Station

FIGURES = ("meter_start_wh", "meter_stop_wh", "energy_wh", "cost_minor")
TEXTS = ("transaction_id", "status", "source", "currency", "stop_reason", "meter_values_sha256")
SIGNED = ("signed_verdict", "signed_reason", "meter_public_key")
LISTS = ("flags", "signed_meter_values", "cost_lines")


# Findings about the session, or about the whole chain and contract; all others say that the chain does not have what
# the entry says, and then the kept copy proves nothing. (Step 1 compares the session; the copy is compared below.)
OF_THE_ROW = (
    *("changed since it was recorded", "meter_values", "customer", "data_key", "credit_reference"),
    *("its data key was destroyed", *(f"step {number} of the check failed" for number in (1, 2, 11))),
)


def kept_record(entry: LedgerEntry) -> dict[str, Any] | None:
    """The record, where salt and kept copy still give the entry's digest, and no check found another one on the chain.

    None where that is not so, or where it was erased.
    """
    if entry.salt is None or entry.canonical is None or (entry.mismatch and not entry.mismatch.startswith(OF_THE_ROW)):
        return None
    salt, kept = bytes(entry.salt), bytes(entry.canonical)
    try:
        if record.digest(salt, kept) != bytes(entry.digest):
            return None
        found = json.loads(kept)
    except (RecordError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def as_recorded(session: ChargingSession, kept: Mapping[str, Any]) -> ChargingSession | None:
    """The session as its record has it, for reading only; None where that is not the form of a record.

    Its place, outlet and card are what the record calls them, whatever they are called today.
    """
    try:
        return _session(session, kept)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _session(session: ChargingSession, kept: Mapping[str, Any]) -> ChargingSession:
    station = Station(identity=str(kept["station"]))
    connector = Connector(station=station, evse_id=int(kept["evse_id"]), connector_id=int(kept["connector_id"]))
    token, credited = kept.get("id_token"), kept.get("credit_reference_id")
    return ChargingSession(
        pk=session.pk,
        station=station,
        connector=connector,
        id_token=IdToken(uid=str(token["uid"]), type=str(token["type"])) if token else None,
        customer_id=session.customer_id,
        location=dict(kept["location"]),
        started_at=datetime.fromisoformat(kept["started_at"]),
        stopped_at=datetime.fromisoformat(kept["stopped_at"]),
        tariff=dict(kept.get("tariff", {})),
        credit=credited is not None,
        credit_reference_id=UUID(credited) if credited is not None else None,
        **{name: _whole(kept.get(name)) for name in FIGURES},
        **{name: str(kept.get(name, "")) for name in TEXTS + SIGNED},
        **{name: list(kept.get(name, [])) for name in LISTS},
    )


def _whole(value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"expected a whole number, got {value!r}")
    return value
