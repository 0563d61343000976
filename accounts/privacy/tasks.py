"""Celery tasks of accounts: archives, erasures, and what ends by itself. `sweep` finds what nobody announced."""

import logging

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.login.people import sign_ins_prune
from accounts.privacy import access_log, archive, erasure

log = logging.getLogger(__name__)


@shared_task(name="accounts.tasks.archive_make", time_limit=3600)
def archive_make(archive_id: int) -> None:
    """Makes the archive, unless another worker is at it."""
    archive.archive_build(archive_id=archive_id)


@shared_task(name="accounts.tasks.erase", time_limit=3600)
def erase(erasure_id: int) -> None:
    """Goes on with the erasure where it was left."""
    erasure.erasure_run(erasure_id=erasure_id)


@shared_task(name="accounts.tasks.sweep", time_limit=3600)
def sweep() -> None:
    """Finish what killed workers left and what waited; delete archives that are over."""
    for erasure_id in erasure.erasures_due():
        erasure.erasure_run(erasure_id=erasure_id)
    archive.archives_expire()
    for archive_id in archive.archives_due():
        archive.archive_build(archive_id=archive_id)


@shared_task(name="accounts.tasks.prune", time_limit=300)
def prune() -> None:
    """Delete what the retention of the settings says is over, and sessions that ended."""
    access_log.access_log_prune()
    sign_ins_prune()
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
