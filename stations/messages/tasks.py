"""Celery tasks about the log of messages: fetch, call a service, nothing else."""

import time

from celery import shared_task

from stations.messages.holding import messages_prune

TURN_S = 240.0


@shared_task(name="stations.tasks.messages_prune", time_limit=300)
def prune() -> int:
    """Delete what is older than it is kept; what is left after some minutes is left to the next turn."""
    end = time.monotonic() + TURN_S
    return messages_prune(go_on=lambda: time.monotonic() < end)
