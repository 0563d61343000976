"""Celery tasks: witnesses are asked by the workers that ask strangers (queue `webhooks`)."""

from celery import shared_task

from common.announce import announce
from ledger.log.witnesses.asking import witness_ask as ask
from ledger.log.witnesses.hurrying import witnesses_hurry
from ledger.log.witnesses.owing import owing
from ledger.log.witnesses.shown import witness_compare
from ledger.models import LogWitness

ASK, COMPARE = "ledger.tasks.witness_ask", "ledger.tasks.witness_compare"
SOON_S = 5


@shared_task(name="ledger.tasks.witnesses_sweep", time_limit=60)
def witnesses_sweep() -> None:
    """Find who is due, also after a worker was killed and where nobody was told."""
    witnesses_hurry()


@shared_task(name=ASK, time_limit=120)
def witness_ask(witness_id: int) -> None:
    """One witness, once; again soon where it only has to see the chain first."""
    if ask(witness_id=witness_id):
        announce(COMPARE, witness_id, expires=60)
    for owed in owing(only=witness_id):
        if owed.wait.total_seconds() < SOON_S:  # what waits longer is the sweep's
            announce(ASK, witness_id, countdown=owed.wait.total_seconds(), expires=30)


@shared_task(name="ledger.tasks.witnesses_compare", time_limit=60)
def witnesses_compare() -> None:
    """Look at what each witness shows of the log."""
    for pk in LogWitness.objects.filter(enabled=True).values_list("pk", flat=True):
        announce(COMPARE, pk, expires=60)


@shared_task(name=COMPARE, time_limit=60)
def witness_compare_one(witness_id: int) -> None:
    """What one witness shows of the log."""
    witness = LogWitness.objects.filter(pk=witness_id, enabled=True).first()
    if witness is not None:
        witness_compare(witness=witness)
