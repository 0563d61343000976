"""Sessions with their records, in one query: what a row of a page, a file or an API answer reads."""

from stations.charging.corrections import with_credits
from stations.models import ChargingSession, ChargingSessionQuerySet


def with_record(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
    """All that a row of a page reads, `credit_pk` too, in one query; without the transactions' bytes."""
    related = ("station", "connector", "id_token", "ledger_entry__transaction")
    return with_credits(sessions).select_related(*related).defer("ledger_entry__transaction__packed")


# What rows of lists read; another column costs each of them a query, which the tests that count queries notice.
ALONE = (
    *(field.name for field in ChargingSession._meta.concrete_fields),
    *(f"ledger_entry__{name}" for name in ("session", "salt", "canonical", "digest", "opened_at", "erased_at")),
    *(f"ledger_entry__{name}" for name in ("mismatch", "conflict")),
    *(f"ledger_entry__transaction__{name}" for name in ("status", "error_code", "transaction_id", "block_num")),
    "ledger_entry__transaction__irreversible_at",
)


_PLACES = ("station__identity", "connector__evse_id", "connector__connector_id", "id_token__uid", "id_token__type")


def in_rows(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
    """The same for many sessions at once: no more columns than a row of a list, a file or an API answer reads."""
    return with_record(sessions).only(*ALONE, *_PLACES)
