"""Celery tasks of the register: attest what is due, forget what is old."""

import logging

from celery import shared_task

from tpm.register import register, reports

log = logging.getLogger(__name__)


@shared_task(name="tpm.tasks.attest_services", time_limit=120)
def attest_services() -> None:
    """Attest each service 5 minutes after its last good evidence, and 30 s after a try that failed.

    One that says of itself that its files were changed is attested at the next turn.
    """
    register.attest_due()


@shared_task(name="tpm.tasks.prune_reports", time_limit=300)
def prune_reports() -> None:
    """Keep 30 days of reports, and the last ones of each service for ever."""
    reports.prune()
