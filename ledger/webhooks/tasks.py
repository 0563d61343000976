"""Celery tasks of webhooks, and what the API forgets."""

from celery import shared_task

from api.idempotency import answers_prune
from common.announce import announce
from ledger.webhooks import delivery

DELIVER = "ledger.tasks.webhook_deliver"


@shared_task(name="ledger.tasks.webhooks_sweep", time_limit=60)
def webhooks_sweep() -> None:
    """Find what is due. Each webhook is a task of its own: one that hangs holds up no other webhook."""
    for pk in delivery.due_webhooks():
        announce(DELIVER, str(pk), expires=60)


@shared_task(name=DELIVER, time_limit=180)
def webhook_deliver(webhook_id: str) -> None:
    """One turn of one webhook; announced again while more is due."""
    hook = delivery.open_webhooks().filter(pk=webhook_id).first()
    if hook and delivery.webhook_deliver(hook=hook):
        announce(DELIVER, webhook_id, expires=60)


@shared_task(name="ledger.tasks.api_prune", time_limit=300)
def api_prune() -> None:
    """Forget old deliveries, and the answers that are kept for repeated requests."""
    delivery.deliveries_prune()
    answers_prune()
