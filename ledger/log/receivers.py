"""What the log does in the database transaction in which something is said to be irreversible."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from common.announce import announce
from ledger.log.newest import publish, wait_s
from ledger.models import ChainTransaction
from ledger.signals import transactions_recorded

LOG = "ledger.tasks.log"


@receiver(transactions_recorded, dispatch_uid="ledger.log")
def recorded(sender: Any, row: ChainTransaction, **kwargs: Any) -> None:
    """Of records the leaves wait, a checkpoint is published: either way there may be a next one."""
    publish(row)
    # robust: it is recorded, whatever becomes of the announcement
    transaction.on_commit(lambda: announce(LOG, countdown=wait_s(), once_in_s=1), robust=True)
