"""Celery tasks of vehicles' statements: made for who waits, sent to who said yes."""

from celery import shared_task
from django.utils import translation

from ledger.receipts.checks import receipt_for
from portal.employer import recipients, sending
from portal.employer.files import file_keep
from portal.employer.statement import statement_of
from portal.statements.statements import StatementPeriod
from stations.models import Vehicle

DELIVERIES_A_SWEEP = 500


@shared_task(name="ledger.tasks.statement_vehicle_make", time_limit=600)
def statement_vehicle_make(vehicle_id: int, places: str, period: str, kind: str, language: str) -> None:
    """Make a long file for a reader who waits for it."""
    vehicle = Vehicle.objects.select_related("owner").get(pk=vehicle_id)
    with translation.override(language):
        statement = statement_of(vehicle, places, StatementPeriod.parse(period))
        if statement:
            file_keep(statement, kind, receipt_for)


# Less than the first pause: no second attempt begins while one runs.
@shared_task(name="ledger.tasks.statement_delivery", time_limit=240)
def statement_delivery(delivery_id: int) -> None:
    """One attempt; the sweep makes the next one."""
    sending.delivery_send(delivery_id=delivery_id)


@shared_task(name="ledger.tasks.statement_deliveries", time_limit=300)
def statement_deliveries() -> None:
    """Send what waits, and what a worker left behind."""
    for delivery_id in sending.deliveries_due().values_list("pk", flat=True)[:DELIVERIES_A_SWEEP]:
        recipients.delivery_announce(delivery_id)


@shared_task(name="ledger.tasks.statement_deliveries_open", time_limit=1800)
def statement_deliveries_open() -> None:
    """Each hour: whose month is over by now?"""
    recipients.deliveries_open()
