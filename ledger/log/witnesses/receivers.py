"""Once a checkpoint is published its witnesses are asked; the sweep asks those whom nobody told of."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from ledger.log.witnesses.hurrying import witnesses_hurry
from ledger.signals import checkpoint_published


@receiver(checkpoint_published, dispatch_uid="ledger.log.witnesses.published_tell")
def published_tell(sender: Any, **kwargs: Any) -> None:
    """After the commit, each witness in a task of its own: a slow one holds up no other."""
    transaction.on_commit(witnesses_hurry, robust=True)
