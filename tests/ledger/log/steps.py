"""The log's life in tests: what workers would do, step by step."""

from ledger.log import publishing
from ledger.log.tree import leaf, leaf_hash, root_of
from ledger.models import LedgerEntry, LogCheckpoint
from ledger.recording import tasks
from tests.ledger.recording.steps import release_claims
from tests.waiting import until


def published(size: int) -> LogCheckpoint:
    """Take steps until the log of this size is published; returns its checkpoint."""

    def is_there() -> bool:
        release_claims()
        publishing.advance()
        tasks.sweep()
        return LogCheckpoint.objects.filter(size=size, published_at__isnull=False).exists()

    until(is_there)
    return LogCheckpoint.objects.get(size=size)


def root_of_entries() -> bytes:
    """What the root has to be: of all entries that are leaves, in their order."""
    entries = LedgerEntry.objects.filter(log_index__isnull=False).order_by("log_index").values_list("pk", "digest")
    return root_of([leaf_hash(leaf(pk, bytes(digest))) for pk, digest in entries])
