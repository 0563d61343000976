"""Ledger entries: opened with the session that closes, announced, put back to work."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext

from common import clock
from common.announce import announce, hurrying
from common.database.inserting import columns_insert
from ledger import record
from ledger.errors import (
    LedgerError,
)
from ledger.keys import data_keys as keys
from ledger.models import ChainTransaction, LedgerEntry
from stations.errors import ImportStateError
from stations.models import ChargingSession

ANCHOR = "ledger.tasks.anchor"


def entries_open(*, sessions: Sequence[ChargingSession]) -> None:
    """Open the ledger entries of sessions that close in this database transaction; announce them after commit."""
    data_keys = keys.data_keys_for(sessions)
    salts = [record.new_salt() for _ in sessions]
    canonicals = [record.canonical(record.record_of(session)) for session in sessions]
    entries: dict[str, list[Any]] = {
        "session_id": [session.pk for session in sessions],
        "salt": salts,
        "canonical": canonicals,
        "digest": list(map(record.digest, salts, canonicals)),
        "data_key_id": [data_keys[session.pk].pk for session in sessions],
    }
    columns_insert(LedgerEntry, entries)
    # robust: the session is closed, whatever becomes of the announcement
    transaction.on_commit(lambda: anchor_soon(len(sessions)), robust=True)


def entries_forget(*, session_ids: Sequence[uuid.UUID]) -> None:
    """Delete the entries of sessions that are taken back, in their transaction.

    Raises ImportStateError where one of them is recorded or on its way: a transaction has taken it. Locked first, so
    that none can take it meanwhile; who is just taking it is waited for.
    """
    entries = LedgerEntry.objects.filter(session__in=session_ids)
    locked = list(entries.order_by("pk").select_for_update().values_list("transaction_id", "conflict"))
    if taken := sum(transaction_id is not None or bool(conflict) for transaction_id, conflict in locked):
        words = gettext(
            "%(taken)s of these sessions are recorded on the chain or are just being recorded, so the import cannot be"
            " taken back: nothing was changed. Credit what is wrong on the session's own page"
        )
        raise ImportStateError(words % {"taken": taken})
    entries.delete()


def entry_send_again(*, entry: LedgerEntry) -> None:
    """Put an entry back to work now: what waits is looked at at once, a conflict is tried anew.

    Never builds a second transaction beside one that may still get in.
    """
    row = entry.transaction
    if row and row.status == ChainTransaction.Status.IRREVERSIBLE:
        text = gettext("entry %(id)s is recorded in block %(block)s; there is nothing to send")
        raise LedgerError(text % {"id": entry.pk, "block": row.block_num})
    if entry.conflict:
        LedgerEntry.objects.filter(pk=entry.pk).update(conflict="", transaction=None)
    elif row:
        ChainTransaction.objects.filter(pk=row.pk).update(retry_at=clock.now(), claimed_until=None)
    transaction.on_commit(lambda: anchor_soon(settings.LEDGER_FLUSH_AT))


def anchor_soon(count: int) -> None:
    """After commit: record at 100 entries or after one second, whichever is first."""
    key, limit = "ledger:announced", settings.LEDGER_FLUSH_AT
    with hurrying(f"recording of {count} new ledger entries"):
        if cache.add(key, count, timeout=settings.LEDGER_FLUSH_AFTER_S):
            total = count
            if total < limit:
                announce(ANCHOR, countdown=settings.LEDGER_FLUSH_AFTER_S)
        else:
            total = _counted(key, count)
        if total >= limit > total - count:
            announce(ANCHOR)


def _counted(key: str, count: int) -> int:
    """How many were announced in this second; 0 where the counter ended just now: then the sweep finds them."""
    try:
        return cache.incr(key, count)
    except ValueError:
        return 0
