"""Celery tasks of the imports: fetch, call a service, nothing else. `import_sweep` finds what nobody announced."""

import logging
import time

from celery import shared_task

from stations.imports import by_command, runs

log = logging.getLogger(__name__)
TURN_S = 10.0  # then the worker is free for others, and the rest is announced anew


@shared_task(name="stations.tasks.import_continue", time_limit=300)
def import_continue(run_id: int) -> None:
    end = time.monotonic() + TURN_S
    if runs.import_advance(run_id=run_id, go_on=lambda: time.monotonic() < end):
        runs.import_announce(run_id)


@shared_task(name="stations.tasks.import_sweep", time_limit=300)
def import_sweep() -> None:
    """Take up what a killed worker or an absent broker left; say of commands that they were killed."""
    by_command.abandoned_end()
    for run in runs.imports_due():
        import_continue(run.pk)
