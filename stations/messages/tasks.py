"""Celery tasks about what is kept of messages, events and commands: fetch, call a service, nothing else."""

import time

from celery import shared_task

from stations.messages.holding import commands_prune, events_prune, messages_prune

TURN_S = 240.0


@shared_task(name="stations.tasks.messages_prune", time_limit=300)
def prune() -> int:
    """Delete what is older than it is kept; what is left after some minutes is left to the next turn."""
    end = time.monotonic() + TURN_S
    prunes = (messages_prune, events_prune, commands_prune)
    return sum(prune_one(go_on=lambda: time.monotonic() < end) for prune_one in prunes)
