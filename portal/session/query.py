"""What the database has of one session beside its row: record, receipt, correction, meter values. Asked once a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.db.models import prefetch_related_objects

from ledger.kept import kept_record
from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipts.pins import Pins
from ledger.receipts.published import pins_of
from ledger.state.corrected import Corrected, corrected_of
from ledger.state.counting import recorded_of
from ledger.state.differences import Difference, differences_of
from ledger.state.words import StateWords, entry_of, state_of
from portal.proof.reasons import no_receipt
from stations.models import ChargingSession, MeterValue


@dataclass(frozen=True)
class Found:
    """`shown` is the session with the figures that count: what was recorded, where it says something else today.

    `changed`: what is different then. `unsure`: the kept record was altered itself. `no_receipt`: why there is none, ""
    where there is one. `usual`: how long recording takes, while it goes on. `meter_values` are all, in order of time.
    """

    shown: ChargingSession
    entry: LedgerEntry | None
    state: StateWords
    changed: Sequence[Difference]
    corrected: Corrected | None
    unsure: bool
    usual: timedelta | None
    no_receipt: str
    pins: Pins | None
    meter_values: Sequence[MeterValue]


def found_for(session: ChargingSession) -> Found:
    """All that its page shows of the session that `portal.reading.session_read` gave."""
    prefetch_related_objects([session], "meter_values")  # for the state, the curve and the list
    entry, state = entry_of(session), state_of(session, read_meter_values=True)
    differs = state.kind == "mismatch"
    return Found(
        shown=(recorded_of(session) if differs else None) or session,
        entry=entry,
        state=state,
        changed=differences_of(session, entry) if differs else [],
        corrected=corrected_of(session) if session.is_closed else None,
        unsure=entry is not None and entry.erased_at is None and kept_record(entry) is None,
        usual=_usual_duration() if state.kind in {"pending", "late"} else None,
        no_receipt=no_receipt(session, entry),
        pins=pins_of(entry),
        meter_values=list(session.meter_values.all()),
    )


def _usual_duration() -> timedelta | None:
    """How long recording took lately: the median of the last hundred transactions."""
    recorded = ChainTransaction.objects.filter(
        status=ChainTransaction.Status.IRREVERSIBLE, irreversible_at__isnull=False
    )
    times = recorded.values_list("created_at", "irreversible_at")[:100]
    seconds = [(end - start).total_seconds() for start, end in times if end is not None]
    return timedelta(seconds=max(1.0, median(seconds))) if seconds else None
