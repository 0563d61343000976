"""Celery tasks of costs that stations show: fetch, call a service, nothing else."""

from celery import shared_task

from common.announce import announce
from stations.costs.showing import PAUSE, costs_show


@shared_task(name="stations.tasks.costs_show", time_limit=60)
def costs_shown(sessions: list[str]) -> None:
    """Of these charges; again after a pause for those whose station was told just now. The next value repeats it."""
    if early := costs_show(sessions):
        announce("stations.tasks.costs_show", early, countdown=PAUSE.total_seconds(), expires=120)
