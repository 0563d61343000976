"""The ledger state of a session in the words that its driver reads (UI.md, "Words for the ledger state")."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from django.utils import timezone

from ledger.checks import differences, meter_values_differ
from ledger.models import ChainTransaction, LedgerEntry
from stations.models import ChargingSession
from stations.words import zone

Kind = Literal["recorded", "pending", "late", "mismatch", "none"]
Status = ChainTransaction.Status

LATE_AFTER = timedelta(minutes=2)

# Why a transaction waits, by its error_code.
_REASONS = {
    "chain_unreachable": "The chain cannot be reached at the moment.",
    "wrong_chain": "A node answered for another chain, so nothing is sent to it.",
    "master_key": "The key that seals the copy is not available at the moment.",
    "outcome_unknown": "The chain did not answer in time, so the same record is offered again.",
    "cpu": "The operator's account on the chain has too little computing time.",
    "ram": "The operator's account on the chain has too little storage.",
    "net": "The operator's account on the chain has too little bandwidth.",
    "authority": "The chain does not accept the operator's signature at the moment.",
    "refused": "The chain refused the record for a reason that a person has to look at.",
    "3040005": "The chain did not take the record in time, so it is sent again.",
    "3040007": "The chain did not take the record in time, so it is sent again.",
    "3050003": "The chain refused the record at first; what it holds is being compared.",
}
_NOTHING_LOST = "Nothing is lost: the session is stored here and is recorded by itself as soon as that is mended."

_FIELDS = {
    "cost_minor": "cost",
    "energy_wh": "energy",
    "evse_id": "outlet",
    "connector_id": "connector",
    "id_token": "card",
    "meter_start_wh": "meter at the start",
    "meter_stop_wh": "meter at the end",
    "meter_values": "meter values",
    "meter_values_sha256": "meter values",
    "started_at": "start",
    "stopped_at": "end",
    "location": "place",
    "flags": "remarks",
    "stop_reason": "why it ended",
    "source": "how it was reported",
    "transaction_id": "the station's number for it",
    "credit_reference_id": "the session it corrects",
    "id": "session",
    "digest": "the stored record itself",
}


@dataclass(frozen=True)
class StateWords:
    """`label` comes first, `detail` after a comma; `reason` says why, `advice` what happens next or what to do."""

    kind: Kind
    label: str
    detail: str = ""
    reason: str = ""
    advice: str = ""


def entry_of(session: ChargingSession) -> LedgerEntry | None:
    return getattr(session, "ledger_entry", None)


def field_name(field: str) -> str:
    """A field of the record in plain words: "energy_wh" -> "energy"."""
    return _FIELDS.get(field, field.replace("_", " "))


def state_of(session: ChargingSession, *, read_meter_values: bool = False) -> StateWords:
    """The words for a session; compares the row with its record, without I/O where `ledger_entry` was selected along.

    `read_meter_values` compares those too, which costs a query.
    """
    entry = entry_of(session)
    if entry is None:
        return _not_recorded(session)
    reason = _mismatch(entry)
    if not reason and read_meter_values and meter_values_differ(session):
        reason = "Changed since it was recorded: meter values."
    if reason:
        advice = "Keep your receipt, and ask the operator to explain the difference."
        return StateWords("mismatch", "Does not match", "the record on the chain", reason, advice)
    if entry.state == Status.IRREVERSIBLE:
        return _recorded(session, entry)
    return _pending(session, entry)


def _not_recorded(session: ChargingSession) -> StateWords:
    if session.is_closed:
        return StateWords("none", "Not recorded", reason="It ended before recording on the chain began.")
    return StateWords("none", "Not recorded", reason="It is still charging; it is recorded when it ends.")


def _mismatch(entry: LedgerEntry) -> str:
    """What does not match, in one sentence; "" where nothing is known to differ."""
    fields = [field_name(field) for field in differences(entry)]
    if fields:
        return f"Changed since it was recorded: {', '.join(fields)}."
    if entry.mismatch:
        return f"A check found: {entry.mismatch.rstrip('.')}."
    if entry.state == Status.CONFLICT:
        found = entry.conflict or "the chain refused it for good"
        return f"It could not be recorded, because something else stands in its place: {found.rstrip('.')}."
    return ""


def _recorded(session: ChargingSession, entry: LedgerEntry) -> StateWords:
    row = entry.transaction
    assert row is not None
    at = when(row.irreversible_at, zone(session), beside=session.stopped_at)
    detail = f"block {row.block_num:,}, {at}" if at else f"block {row.block_num:,}"
    if entry.erased_at:
        reason = "Its personal data were erased; the copy on the chain can no longer be read by anybody."
        return StateWords("recorded", "Recorded", detail, reason)
    return StateWords("recorded", "Recorded", detail, "The record stands on the chain and equals what you see here.")


def _pending(session: ChargingSession, entry: LedgerEntry) -> StateWords:
    since = f"since {when(entry.opened_at, zone(session), beside=timezone.now(), seconds=False)}"
    row = entry.transaction
    status = row.status if row else ""
    code = row.error_code if row else ""
    late = status in {Status.EXPIRED, Status.DEFERRED} or timezone.now() - entry.opened_at > LATE_AFTER
    if not late and not code:
        advice = "It is signed, sent to the chain, and called recorded once nobody can take it back."
        return StateWords("pending", "Being recorded", since, "", advice)
    return StateWords("late", "Being recorded", f"later than usual, {since}", _late_reason(status, code), _NOTHING_LOST)


def _late_reason(status: str, code: str) -> str:
    if code in _REASONS:
        return _REASONS[code]
    if status == Status.EXPIRED:
        return _REASONS["3040005"]
    if status == Status.BATCHED and code:  # the TPM service's own codes
        return "The device that signs records is not available at the moment."
    if status in {Status.SENT, Status.IN_BLOCK}:
        return "The chain has it, but has not made it final yet."
    return "It waits for its turn to be signed and sent."


def when(moment: datetime | None, where: ZoneInfo, *, beside: datetime | None, seconds: bool = True) -> str:
    """The time of day, with the date where that is another day than `beside`'s."""
    if moment is None:
        return ""
    local = moment.astimezone(where)
    time = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    same_day = beside is not None and beside.astimezone(where).date() == local.date()
    return time if same_day else f"{local.day} {local:%b %Y} {time}"
