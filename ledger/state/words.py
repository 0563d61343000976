"""The ledger state of a session in the words that its driver reads.

In the reader's language; exports take `LABELS_PLAIN`, which stay the same in every language.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ledger.models import ChainTransaction, LedgerEntry
from ledger.state.labels import LABELS_PLAIN, Kind, field_name
from ledger.state.row import differences, meter_values_differ
from stations.charging.words import date_text, number, zone
from stations.models import ChargingSession

Status = ChainTransaction.Status

LATE_AFTER = timedelta(minutes=2)

# Why a transaction waits, by its error_code.
_REASONS: dict[str, Promise] = {
    "chain_unreachable": _("The chain cannot be reached at the moment."),
    "wrong_chain": _("A node answered for another chain, so nothing is sent to it."),
    "master_key": _("The key that seals the copy is not available at the moment."),
    "outcome_unknown": _("The chain did not answer in time, so the same record is offered again."),
    "cpu": _("The operator's account on the chain has too little computing time."),
    "ram": _("The operator's account on the chain has too little storage."),
    "net": _("The operator's account on the chain has too little bandwidth."),
    "authority": _("The chain does not accept the operator's signature at the moment."),
    "refused": _("The chain refused the record for a reason that a person has to look at."),
    "3040005": _("The chain did not take the record in time, so it is sent again."),
    "3040007": _("The chain did not take the record in time, so it is sent again."),
    "3050003": _("The chain refused the record at first; what it holds is being compared."),
}
_EQUAL = _("The record stands on the chain and equals what you see here.")
_ERASED = _("Its personal data were erased; the copy on the chain can no longer be read by anybody.")
_BEFORE = _("It ended before recording on the chain began.")
_CHARGING = _("It is still charging.")

# What happens next, or what to do.
_NOTHING_LOST = _("Nothing is lost: the session is stored here and is recorded by itself as soon as that is mended.")
_ON_ITS_WAY = _("It is signed, sent to the chain, and called recorded once nobody can take it back.")
_ASK = _("Keep your receipt, and ask the operator to explain the difference.")


@dataclass(frozen=True)
class StateWords:
    """`label` comes first, `detail` after a comma; `reason` says why, `advice` what happens next or what to do.

    The latter two are translated where they are read: lists do not.
    """

    kind: Kind
    label: str
    detail: str = ""
    reason: str | Promise = ""
    advice: str | Promise = ""


def entry_of(session: ChargingSession) -> LedgerEntry | None:
    """Its record's entry; None where it has none, as before recording began. A query where it was not selected."""
    return getattr(session, "ledger_entry", None)


def finding_of(session: ChargingSession, *, read_meter_values: bool = False) -> tuple[Kind, str | Promise]:
    """(kind, reason): compares the row with its record, without I/O where `ledger_entry` was selected along.

    `read_meter_values` compares those too, which costs a query.
    """
    entry = entry_of(session)
    if entry is None:
        return "none", _BEFORE if session.is_closed else _CHARGING
    reason = _mismatch(entry)
    if not reason and read_meter_values and meter_values_differ(session):
        reason = _changed(["meter_values"])
    if reason:
        return "mismatch", reason
    if entry.state != Status.IRREVERSIBLE:
        return _waiting(entry)
    return "recorded", _ERASED if entry.erased_at else _EQUAL


def state_of(session: ChargingSession, *, read_meter_values: bool = False) -> StateWords:
    """All words for a session: `finding_of` with when and where."""
    kind, reason = finding_of(session, read_meter_values=read_meter_values)
    detail, advice = _DETAILS[kind](session)
    going_on = kind == "none" and not session.is_closed
    label = gettext("Recorded when it ends") if going_on else gettext(LABELS_PLAIN[kind])
    return StateWords(kind, label, detail, reason, advice)


def _changed(fields: Sequence[str]) -> str:
    names = ", ".join(field_name(field) for field in fields)
    return gettext("Changed since it was recorded: %(fields)s.") % {"fields": names}


def _mismatch(entry: LedgerEntry) -> str:
    """What does not match, in one sentence; "" where nothing is known to differ."""
    fields = differences(entry)
    if fields:
        return _changed(fields)
    if entry.mismatch:
        return gettext("A check found: %(finding)s.") % {"finding": entry.mismatch.rstrip(".")}
    if entry.state == Status.CONFLICT:
        found = entry.conflict or gettext("the chain refused it for good")
        sentence = gettext("It could not be recorded, because something else stands in its place: %(finding)s.")
        return sentence % {"finding": found.rstrip(".")}
    return ""


def _waiting(entry: LedgerEntry) -> tuple[Kind, str | Promise]:
    row = entry.transaction
    status = row.status if row else ""
    code = row.error_code if row else ""
    late = status in {Status.EXPIRED, Status.DEFERRED} or timezone.now() - entry.opened_at > LATE_AFTER
    return ("late", _late_reason(status, code)) if late or code else ("pending", "")


def _late_reason(status: str, code: str) -> Promise:
    if code in _REASONS:
        return _REASONS[code]
    if status == Status.EXPIRED:
        return _REASONS["3040005"]
    if status == Status.BATCHED and code:  # the TPM service's own codes
        return _("The device that signs records is not available at the moment.")
    if status in {Status.SENT, Status.IN_BLOCK}:
        return _("The chain has it, but has not made it final yet.")
    return _("It waits for its turn to be signed and sent.")


# --- When and where, and what to do


def _recorded(session: ChargingSession) -> tuple[str, str | Promise]:
    row = session.ledger_entry.transaction
    assert row is not None
    at = when(row.irreversible_at, zone(session), beside=session.stopped_at)
    block = gettext("block %(number)s") % {"number": number(row.block_num or 0)}
    return f"{block}, {at}" if at else block, ""


def _pending(session: ChargingSession) -> tuple[str, str | Promise]:
    return gettext("since %(time)s") % {"time": _opened(session)}, _ON_ITS_WAY


def _late(session: ChargingSession) -> tuple[str, str | Promise]:
    return gettext("later than usual, since %(time)s") % {"time": _opened(session)}, _NOTHING_LOST


def _opened(session: ChargingSession) -> str:
    return when(session.ledger_entry.opened_at, zone(session), beside=timezone.now(), seconds=False)


def _different(session: ChargingSession) -> tuple[str, str | Promise]:
    return "", _ASK


def _no_details(session: ChargingSession) -> tuple[str, str | Promise]:
    return "", ""


_DETAILS: dict[Kind, Callable[[ChargingSession], tuple[str, str | Promise]]] = {
    "recorded": _recorded,
    "pending": _pending,
    "late": _late,
    "mismatch": _different,
    "none": _no_details,
}


def when(moment: datetime | None, where: ZoneInfo, *, beside: datetime | None, seconds: bool = True) -> str:
    """The time of day, with the date where that is another day than `beside`'s."""
    if moment is None:
        return ""
    local = moment.astimezone(where)
    time = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    same_day = beside is not None and beside.astimezone(where).date() == local.date()
    return time if same_day else f"{date_text(local)} {time}"
