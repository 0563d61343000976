"""Which sessions have a record in a state, for the database to find: the same for the history and for programs.

Coarser than ledger/state/words.py, which also compares the row with its record: that a query cannot do. So a session
that differs is found by "mismatch" as soon as somebody looked at it (ledger/state/marking.py).
"""

from django.db.models import Q

from ledger.models import ChainTransaction

Status = ChainTransaction.Status

_FOUND_DIFFERENT = (
    Q(ledger_entry__conflict__gt="")
    | Q(ledger_entry__mismatch__gt="")
    | Q(ledger_entry__transaction__status=Status.CONFLICT)
)
_FOUND_FINE = Q(ledger_entry__conflict="", ledger_entry__mismatch="")
_ON_ITS_WAY = Q(ledger_entry__transaction__isnull=True) | Q(
    ledger_entry__transaction__status__in=[*ChainTransaction.UNFINISHED, Status.EXPIRED]
)

# Of sessions. What is late counts as pending.
IN_STATE: dict[str, Q] = {
    "recorded": _FOUND_FINE & Q(ledger_entry__transaction__status=Status.IRREVERSIBLE),
    "pending": _FOUND_FINE & _ON_ITS_WAY,
    "mismatch": _FOUND_DIFFERENT,
    "none": Q(ledger_entry__isnull=True),
}
