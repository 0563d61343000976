"""Does a session still equal its record? From the database's rows alone: no node and no TPM is asked."""

from ledger import record
from ledger.errors import RecordError
from ledger.models import LedgerEntry
from ledger.record import changed_fields
from stations.charging.meter_digest import meter_values_sha256
from stations.models import ChargingSession


def differences(entry: LedgerEntry) -> list[str]:
    """Names of the fields in which the session row differs from its record; [] when they are equal.

    ["digest"] where the kept record itself was altered, ["session"] where the row is gone. Erased entries have
    nothing left to compare.
    """
    if entry.erased_at:
        return []
    if entry.session is None or entry.salt is None or entry.canonical is None:
        return ["session"]
    kept = bytes(entry.canonical)
    try:
        fields = record.record_of(entry.session)
        now = kept if record.is_known_form(fields, kept) else record.canonical(fields)
    except RecordError:
        return ["status"]
    if now == kept and record.digest_holds(bytes(entry.salt), kept, bytes(entry.digest)):
        return []
    return [name for name, _, _ in changed_fields(kept, now)] or ["digest"]


def meter_values_differ(session: ChargingSession) -> bool:
    """Are the meter values others than those that were there when the session closed?

    None at all, although there were some, is no alteration only where the session was brought back from the chain,
    whose copies have none.
    """
    now = meter_values_sha256(session.meter_values.all())
    return now != session.meter_values_sha256 and bool(now or session.restored_at is None)
