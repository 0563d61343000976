"""Celery tasks of accounts: archives, erasures, and what ends by itself. `sweep` finds what nobody announced."""

from celery import shared_task

from accounts import access_log, archive, erasure


@shared_task(time_limit=3600)
def archive_make(archive_id: int) -> None:
    archive.archive_build(archive_id=archive_id)


@shared_task(time_limit=3600)
def erase(erasure_id: int) -> None:
    erasure.erasure_run(erasure_id=erasure_id)


@shared_task(time_limit=3600)
def sweep() -> None:
    """Finish what killed workers left and what waited; delete archives that are over."""
    for erasure_id in erasure.erasures_due():
        erasure.erasure_run(erasure_id=erasure_id)
    archive.archives_expire()
    for archive_id in archive.archives_due():
        archive.archive_build(archive_id=archive_id)


@shared_task(time_limit=300)
def prune() -> None:
    """Delete what the retention of the settings says is over."""
    access_log.access_log_prune()
