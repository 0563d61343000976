"""Forgetting a customer: their data keys are destroyed, so the copies on the chain stay closed for ever.

What stays: the digests on the chain (without salt and record they say nothing), and the sessions' figures without
token and customer, which the operator must keep for the accounts.
"""

import json
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from ledger import record
from ledger.keys import data_keys, seals
from ledger.models import DataKey, LedgerEntry
from stations.charging.locks import charges_running
from stations.errors import ChargeRunningError
from stations.models import ChargingSession, IdToken

SEALED_AT_ONCE = 500


def customer_erase(*, customer: User, although_charging: bool = False) -> int:
    """Destroy their data keys and unlink their sessions and tokens; returns how many of them. Repeats safely.

    Entries that are not recorded yet get there without a copy. Copies of those who held one of their tokens before or
    after them have keys of their own, and stay. Raises ChargeRunningError while they charge, and nothing was changed
    then; `although_charging` cuts the tie to what is running, which is recorded later as nobody's.

    The master key is replaced afterwards, so that an older backup of the wrapped keys opens nothing of theirs with the
    master key of a later day. Make a new key backup then: older ones are of no use any more. Where the TPM is away the
    keys are destroyed all the same; the sweep replaces the master key later, and the alert `master_key_due` says so.
    """
    with transaction.atomic():
        count = _erase(customer, although_charging)
    data_keys.master_key_upkeep()
    return count


def _erase(customer: User, although_charging: bool) -> int:
    # Locked: who is about to start a charge with one of their tokens, or to close one, waits or is waited for.
    tokens = list(IdToken.objects.select_for_update(no_key=True).filter(customer=customer).order_by("pk"))
    running = charges_running(customer=customer)
    if running and not although_charging:
        raise ChargeRunningError(f"{len(running)} of their charges are still running")
    theirs = Q(customer=customer) | Q(entries__session__customer=customer)
    data_keys.destroy(DataKey.objects.filter(theirs, site__isnull=True).distinct())
    entries = LedgerEntry.objects.filter(session__customer=customer, data_key__destroyed_at__isnull=False)
    _entries_erase(entries.select_related("data_key").order_by("pk"))
    _written_forget(customer)
    forgotten: dict[str, Any] = {"id_token": None, "customer": None, "signed_meter_values": []}  # meters sign the card
    count = ChargingSession.objects.filter(customer=customer).update(**forgotten)
    _tokens_forget(tokens)
    return count


def _written_forget(customer: User) -> None:
    """Other writings of their cards, which their sessions keep for the sake of their records."""
    for session in ChargingSession.objects.filter(customer=customer, written__has_key="id_token").order_by():
        session.written.pop("id_token")
        ChargingSession.objects.filter(pk=session.pk).update(written=session.written)


def _entries_erase(entries: QuerySet[LedgerEntry]) -> None:
    """Forget salt and record, and seal what stays: so the audit can tell an erasure from a row that says so."""
    now = timezone.now()
    rows = []
    for entry in entries.iterator(chunk_size=SEALED_AT_ONCE):
        entry.erasure_seal = _sealed(entry, now)
        entry.salt, entry.canonical, entry.erased_at = None, None, now
        rows.append(entry)
        if len(rows) == SEALED_AT_ONCE:
            _store(rows)
    _store(rows)


def _store(rows: list[LedgerEntry]) -> None:
    LedgerEntry.objects.bulk_update(rows, ["salt", "canonical", "erased_at", "erasure_seal"])
    rows.clear()


def _sealed(entry: LedgerEntry, erased_at: datetime) -> bytes:
    """The seal over the record's own figures, whatever the session says today; over none where it was altered."""
    kept = bytes(entry.canonical or b"")
    whole = record.digest_holds(bytes(entry.salt or b""), kept, bytes(entry.digest))
    return seals.erasure_seal(
        ledger_id=entry.pk,
        digest=bytes(entry.digest),
        key_id=bytes(entry.data_key.key_id),
        erased_at=erased_at,
        figures=seals.figures(json.loads(kept)) if whole else b"",
    )


def _tokens_forget(tokens: list[IdToken]) -> None:
    """A token that others charged with stays for the sake of their records, and is nobody's; the others go."""
    pks = [token.pk for token in tokens]
    shared = ChargingSession.objects.filter(id_token__in=pks).values("id_token")
    IdToken.objects.filter(pk__in=shared).filter(pk__in=pks).update(customer=None)
    IdToken.objects.filter(pk__in=pks, customer__isnull=False).delete()
