"""One entry against session, keys, chain and block: what an audit says of it. No I/O: `rows.py` brings it all.

Whatever an entry's state says, it is compared: who writes everything in the database writes states, too.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger import record
from ledger.errors import RecordError
from ledger.keys import seals
from ledger.record import Recorded, changed_fields

IRREVERSIBLE = "IRREVERSIBLE"
SAID_MAX = 500  # characters of a value in a message: what meters sign is long
OVER = ("EXPIRED", "CONFLICT")  # transactions that carry nothing any more


class Entry(NamedTuple):
    """A ledger entry with the columns of what hangs on it, in the order of `audit_rows.COLUMNS`."""

    id: int
    digest: bytes
    salt: bytes | None
    canonical: bytes | None
    conflict: str
    mismatch: str
    checked_at: Any
    erased_at: Any
    erasure_seal: bytes | None
    restored_seal: bytes | None
    transaction: int | None
    status: str | None  # of the transaction
    data_key: int
    key_id: bytes
    key_token: int | None
    key_customer: int | None
    key_site: str | None  # its code
    key_closed_at: Any
    key_destroyed_at: Any
    session: Any
    customer: int | None
    token: int | None
    restored_at: Any
    station: int | None
    outlet_station: int | None  # the station of the session's connector


@dataclass(frozen=True, slots=True)
class Beside:
    """What else is known of an entry: the chain's row, the contract's floor, its transaction, the meter values.

    `carrier`: what is wrong with the transaction, "" for nothing; `recorded`: the digest in its block.
    `values`: SHA-256 of the meter values that are there, "" for none. `holder`: whose the copies under its key are.
    """

    row: bytes | None = None
    floor: int = 0
    carrier: str = ""
    recorded: bytes | None = None
    values: str = ""
    holder: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`kind` as a Report counts it; `mismatch` is kept on the entry, `message` says it with both values."""

    kind: str
    mismatch: str = ""
    message: str = ""
    without_values: bool = False  # restored: its meter values are in no copy


EQUAL, ERASED, PENDING = Verdict("equal"), Verdict("erased"), Verdict("pending")
EQUAL_RESTORED = Verdict("equal", without_values=True)


def judge(entry: Entry, session: Recorded | None, beside: Beside) -> Verdict:
    """The first thing that is wrong, from the inside out: contents, holders, meter values, row, transaction."""
    changed = _erased(entry, session) if entry.erased_at is not None else _contents(entry, session)
    if changed:
        return changed
    without, reason = _values(entry, session, beside.values)
    reason = reason or _unrecorded(entry, session, beside.holder) or entry.conflict
    if reason:
        return Verdict("different", reason, reason)
    recorded = entry.status == IRREVERSIBLE
    found = beside.recorded if beside.row is None and recorded and entry.id <= beside.floor else beside.row
    if reason := _row(entry, found, recorded, beside.floor):
        return Verdict("missing" if found is None else "different", reason, reason)
    if not recorded:
        return PENDING
    if beside.carrier:
        return Verdict("different", beside.carrier, beside.carrier)
    if entry.erased_at is not None:
        return ERASED
    return EQUAL_RESTORED if without else EQUAL


def _contents(entry: Entry, session: Recorded | None) -> Verdict | None:
    """The session against the kept record, and that against its digest."""
    if session is None or entry.salt is None or entry.canonical is None:
        return _changed(["session"], "the session is gone")
    try:
        fields = record.fields_of(session)
        now = entry.canonical if record.is_known_form(fields, entry.canonical) else record.canonical(fields)
    except RecordError as error:
        return _changed(["status"], str(error))
    if now == entry.canonical and record.digest_holds(entry.salt, now, entry.digest):
        return _changed(["written"], "what is no other writing") if record.written_in_vain(session) else None
    differing = list(changed_fields(entry.canonical, now))
    said = "; ".join(f"recorded {before:.{SAID_MAX}}, now {after:.{SAID_MAX}}" for _, before, after in differing)
    return _changed([name for name, _, _ in differing] or ["digest"], said or "the entry was altered")


def _changed(names: list[str], message: str) -> Verdict:
    words = ", ".join(names)
    return Verdict("different", f"changed since it was recorded: {words}", f"{words}: {message}")


def _erased(entry: Entry, session: Recorded | None) -> Verdict | None:
    """Erased only if this portal says so, and nothing of the customer is there any more."""
    reason = _erasure_broken(entry, session)
    return Verdict("different", reason, reason) if reason else None


def _erasure_broken(entry: Entry, session: Recorded | None) -> str:
    if entry.salt is not None or entry.canonical is not None:
        return "marked as erased, but its record is still there"
    if entry.key_destroyed_at is None:
        return "marked as erased, but its data key was not destroyed"
    if session and (entry.customer is not None or entry.token is not None):
        return "marked as erased, but its session still names a customer or a card"
    if session and session.signed_meter_values:
        return "marked as erased, but its session still has what the meter signed"
    if (entry.key_token, entry.key_customer, entry.key_site) != (None, None, None):
        return "marked as erased, but its data key still names a card, a customer or a site"
    kept = seals.erased_figures(
        entry.erasure_seal,
        ledger_id=entry.id,
        digest=entry.digest,
        key_id=entry.key_id,
        erased_at=entry.erased_at,
    )
    if kept is None:
        return "marked as erased, but this portal did not erase it"
    try:
        now = seals.figures_of(session) if session else b""
    except RecordError as error:
        return f"changed since it was erased: {error}"
    if session and not kept:
        return "its record was altered before it was erased"
    if session and record.written_in_vain(session):
        return "changed since it was erased: written"
    return "" if now == kept else "changed since it was erased" if session else "erased, and its session is gone"


def _unrecorded(entry: Entry, session: Recorded | None, holder: int | None) -> str:
    """What pages and bills show of a session, and its record does not say."""
    if session is None:
        return ""
    if session.credit_reference_id is not None and not session.credit:
        return "credit_reference: a session that is no credit takes none back"
    if entry.station != entry.outlet_station:
        return "connector: of another station than the session's"
    return _held(entry, session, holder) if entry.erased_at is None else ""


def _held(entry: Entry, session: Recorded, holder: int | None) -> str:
    """Whose session it is, against the key under which its copy was sealed: a key has one token and one holder."""
    if entry.key_destroyed_at is not None or entry.erasure_seal is not None:
        return "its data key was destroyed, or it has an erasure's seal, but it was not erased"
    if entry.key_token != entry.token:
        return "data_key: sealed for another card than the session's"
    if (entry.key_token is None) == (entry.key_site is None):
        return "data_key: expected one of a card or one of a site"
    if entry.key_token is None and entry.key_customer is not None:
        return "data_key: one of a site belongs to nobody"
    if entry.key_token is not None and holder != entry.customer:
        return "customer: another than of the other sessions under its data key"
    if entry.token is None and entry.customer is not None:
        return "customer: a session without a card belongs to nobody"
    return ""


def _values(entry: Entry, session: Recorded | None, values: str) -> tuple[bool, str]:
    """(has none since it was restored, what is wrong): the session's own SHA-256 says whether there were any."""
    expected = session.meter_values_sha256 if session else ""
    restored = entry.restored_at is not None
    if not restored and entry.restored_seal is not None:
        return False, "restored_at: gone, although this portal restored the session"
    if restored and not seals.is_restored(entry.restored_seal, ledger_id=entry.id, digest=entry.digest):
        return False, "restored_at: marked as restored, but this portal did not restore it"
    if values == expected:
        return False, ""
    if not values and restored:
        return True, ""
    return False, f"meter_values: {'others than' if values else 'gone; there were some'} when the session closed"


def _row(entry: Entry, found: bytes | None, recorded: bool, floor: int) -> str:
    if found is not None and found != entry.digest:
        return f"another digest is on the chain: expected {entry.digest.hex()}, found {found.hex()}"
    if found is None and (recorded or entry.id <= floor):
        return f"missing on the chain: expected a row with id {entry.id}"
    if found is not None and entry.status in OVER:
        return f"recorded on the chain, but its transaction is marked {entry.status}"
    return ""
