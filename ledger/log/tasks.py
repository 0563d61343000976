"""Celery tasks of the log: the broker only hurries, beat finds whatever is left."""

from celery import shared_task

from common.announce import announced_forget, hurrying
from ledger.log import publishing
from ledger.log.receivers import LOG
from ledger.recording.tasks import confirm_soon


@shared_task(name=LOG, time_limit=300)
def log() -> None:
    """Take the log's next steps, and have what was sent looked after."""
    with hurrying("the log's next turn"):
        announced_forget(LOG)
    if publishing.advance():
        confirm_soon()
