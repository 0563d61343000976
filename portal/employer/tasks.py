"""Celery tasks of vehicles' statements: made for who waits."""

from celery import shared_task
from django.utils import translation

from ledger.receipts.checks import receipt_for
from portal.employer.files import file_keep
from portal.employer.statement import statement_of
from portal.statements.statements import StatementPeriod
from stations.models import Vehicle


@shared_task(name="ledger.tasks.statement_vehicle_make", time_limit=600)
def statement_vehicle_make(vehicle_id: int, places: str, period: str, kind: str, language: str) -> None:
    """Make a long file for a reader who waits for it."""
    vehicle = Vehicle.objects.select_related("owner").get(pk=vehicle_id)
    with translation.override(language):
        statement = statement_of(vehicle, places, StatementPeriod.parse(period))
        if statement:
            file_keep(statement, kind, receipt_for)
