"""The newest checkpoints, and that one is published: what others of the ledger may ask and say of the log."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from common import clock
from ledger.models import ChainTransaction, LogCheckpoint
from ledger.signals import checkpoint_published


def newest() -> LogCheckpoint | None:
    """The largest one, published or not."""
    return LogCheckpoint.objects.select_related("transaction").first()


def published() -> LogCheckpoint | None:
    """The one that is served: the largest that is on the chain for good, with the log's signature."""
    return LogCheckpoint.objects.filter(published_at__isnull=False).exclude(note="").first()


def wait_s() -> float:
    """How long until the next checkpoint may be made, in seconds; 0 where it may now."""
    last = LogCheckpoint.objects.values_list("made_at", flat=True).first()
    if last is None:
        return 0.0
    every = timedelta(seconds=settings.LOG_EVERY_S)
    left = last + every - clock.now()
    return left.total_seconds() if timedelta() < left <= every else 0.0


@transaction.atomic
def publish(row: ChainTransaction) -> LogCheckpoint | None:
    """Its transaction is irreversible: from now on the checkpoint is served. In that database transaction."""
    checkpoint = LogCheckpoint.objects.filter(transaction=row, published_at__isnull=True).first()
    if checkpoint is None or row.status != ChainTransaction.Status.IRREVERSIBLE:
        return None
    checkpoint.published_at = clock.now()
    checkpoint.save(update_fields=["published_at"])
    checkpoint_published.send(sender=LogCheckpoint, checkpoint=checkpoint)
    return checkpoint
