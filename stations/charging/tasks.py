"""Celery tasks about charges that go on: fetch, call a service, nothing else."""

from celery import shared_task

from stations.charging.ending import free_end, silent_end


@shared_task(name="stations.tasks.sessions_end_silent", time_limit=300)
def sessions_end_silent() -> int:
    """End what nothing was heard of for as long as its site allows, and what has left its outlet."""
    return free_end() + silent_end()
