"""Celery tasks of accounts: what ends by itself."""

from celery import shared_task

from accounts import access_log


@shared_task(time_limit=300)
def prune() -> None:
    """Delete what the retention of the settings says is over."""
    access_log.access_log_prune()
