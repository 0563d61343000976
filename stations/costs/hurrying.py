"""Has a worker tell stations what charges cost by now; the next value says it again, where nobody hears this."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from common.announce import announce

TASK = "stations.tasks.costs_show"


def costs_due(sessions: Collection[UUID]) -> None:
    """After this transaction a worker tells the stations of these charges what they cost by now."""
    if sessions:
        named = sorted(map(str, sessions))
        transaction.on_commit(lambda: announce(TASK, named, expires=60))
