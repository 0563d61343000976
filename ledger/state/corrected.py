"""What a correction makes of a session, as pages and papers say it: taken back by which credit, when and why.

Who, when and why stand in the correction (stations/models/corrections.py), which is not recorded; that one session
takes back
another is recorded in the credit. So a credit that was brought back from the chain is told without its reason.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from ledger.models import LedgerEntry
from stations.charging.corrections import correction_about, credited_by
from stations.models import ChargingSession

Part = Literal["superseded", "credit", "replacement"]


@dataclass(frozen=True)
class Corrected:
    """`part` is what this session is in it; `ledger_id` the credit's own record's, None where it has none yet."""

    part: Part
    session: UUID
    credit: UUID
    replacement: UUID | None
    ledger_id: int | None
    at: datetime | None
    reason: str


def corrected_of(session: ChargingSession) -> Corrected | None:
    """None where the session has to do with no correction. It comes with `credit_pk` (portal/reading.py)."""
    found = correction_about(session)
    if found:
        part: Part = "superseded" if found.session_id == session.pk else "replacement"
        part = "credit" if found.credit_id == session.pk else part
        replacement = found.replacement_id
        entry = _entry(found.credit_id)
        return Corrected(part, found.session_id, found.credit_id, replacement, _id(entry), found.at, found.reason)
    credit = session.pk if session.credit else credited_by(session)
    if credit is None:
        return None
    credited = session.credit_reference_id if session.credit else session.pk
    assert credited  # session_credit_has_reference
    entry = _entry(credit)
    at = entry.opened_at if entry else None
    return Corrected("credit" if session.credit else "superseded", credited, credit, None, _id(entry), at, "")


def _entry(credit: UUID) -> LedgerEntry | None:
    return LedgerEntry.objects.only("opened_at").filter(session=credit).first()


def _id(entry: LedgerEntry | None) -> int | None:
    return entry.pk if entry else None
