"""Celery tasks of the register: attest what is due, forget what is old."""

from celery import shared_task

from tpm import register, reports


@shared_task(time_limit=120)
def attest_services() -> None:
    """Attest each service 5 minutes after its last good evidence, and 30 s after a try that failed.

    One that says of itself that its files were changed is attested at the next turn.
    """
    register.attest_due()


@shared_task(time_limit=300)
def prune_reports() -> None:
    """Keep 30 days of reports, and the last ones of each service for ever."""
    reports.prune()
