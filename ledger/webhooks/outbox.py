"""The outbox of webhooks: what is told is written down in the database transaction in which it becomes so."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver

from accounts.login.roles import only_reads
from accounts.models import Program
from common import clock
from common.announce import announce
from ledger.models import ChainTransaction, LedgerEntry, Webhook, WebhookDelivery
from ledger.record import utc_text
from ledger.signals import transactions_recorded
from ledger.webhooks.delivery import OWNER_ACTIVE, Event
from stations.models import ChargingSession, Command
from stations.signals import commands_finished


@receiver(transactions_recorded, dispatch_uid="ledger.webhooks.recorded_tell")
def recorded_tell(sender: Any, row: ChainTransaction, **kwargs: Any) -> int:
    """Write what is to be told of this transaction's sessions, in the database transaction that makes them recorded."""
    if not Webhook.objects.filter(is_active=True).exists():
        return 0
    recorded = ChargingSession.objects.filter(ledger_entry__transaction=row)
    sessions = list(recorded.only("id", "customer").order_by("pk"))
    customers = {session.customer_id for session in sessions if session.customer_id}
    concerned = Q(user__in=customers) | Q(user__is_staff=True) | Q(client__isnull=False)
    hooks = Webhook.objects.filter(OWNER_ACTIVE, concerned, is_active=True).select_related("user", "client")
    wanted = [(hook, session) for hook in hooks for session in _seen_by(hook, sessions)]
    if not wanted:
        return 0
    entries = LedgerEntry.objects.filter(transaction=row).only("id", "session_id", "digest")
    by_session = {entry.session_id: entry for entry in entries}
    WebhookDelivery.objects.bulk_create(
        [_delivery(hook, session, by_session[session.pk], row) for hook, session in wanted], ignore_conflicts=True
    )
    transaction.on_commit(_announce, robust=True)
    return len(wanted)


def _seen_by(hook: Webhook, sessions: Sequence[ChargingSession]) -> Iterable[ChargingSession]:
    """Those of the sessions that the webhook's owner may see now, and have told elsewhere."""
    if hook.user is not None and only_reads(hook.user):
        return []
    if hook.user is not None and not hook.user.is_staff:
        return [session for session in sessions if session.customer_id == hook.user_id]
    assert hook.user is not None or hook.client is not None
    visible = ChargingSession.objects.visible_to(hook.user or Program(hook.client))  # type: ignore[arg-type]
    seen = set(visible.filter(pk__in=[session.pk for session in sessions]).order_by().values_list("pk", flat=True))
    return [session for session in sessions if session.pk in seen]


def _delivery(hook: Webhook, session: ChargingSession, entry: LedgerEntry, row: ChainTransaction) -> WebhookDelivery:
    """Ids only: whoever receives it asks for the rest with a token of their own."""
    at = row.irreversible_at
    data = {
        "session": str(session.pk),
        "ledger_id": entry.pk,
        "digest": bytes(entry.digest).hex(),
        "transaction_id": row.transaction_id,
        "block_num": row.block_num,
        "recorded_at": utc_text(at) if at else None,
    }
    return WebhookDelivery(
        webhook=hook,
        event=Event.RECORDED,
        session=session,
        body=_body(Event.RECORDED, data),
        next_attempt_at=clock.now(),
    )


@receiver(commands_finished, dispatch_uid="ledger.webhooks.finished_tell")
def finished_tell(sender: Any, commands: Sequence[Command], **kwargs: Any) -> int:
    """Tell whoever asked for these commands, and nobody else; in the database transaction that ends them."""
    clients = {command.client_id for command in commands if command.client_id}
    users = {command.user_id for command in commands if command.user_id}
    if not clients and not users:
        return 0  # the portal's own
    asked = Q(client__in=clients) | Q(user__in=users)
    hooks = Webhook.objects.filter(OWNER_ACTIVE, asked, is_active=True).select_related("user")
    deliveries = [
        WebhookDelivery(webhook=hook, event=Event.FINISHED, body=_finished(command), next_attempt_at=clock.now())
        for hook in hooks
        if hook.user is None or not only_reads(hook.user)
        for command in commands
        if (hook.client_id or hook.user_id) == (command.client_id if hook.client_id else command.user_id)
    ]
    if deliveries:
        WebhookDelivery.objects.bulk_create(deliveries)
        transaction.on_commit(_announce, robust=True)
    return len(deliveries)


def _finished(command: Command) -> str:
    """What became of it in a word; the station's answer is read with a token."""
    at = command.answered_at
    data = {
        "command": command.pk,
        "station": command.station.identity,
        "kind": command.kind,
        "state": str(command.state),
        "finished_at": utc_text(at) if at else None,
    }
    return _body(Event.FINISHED, data)


def _body(event: str, data: dict[str, Any]) -> str:
    return json.dumps({"type": str(event), "timestamp": utc_text(clock.now()), "data": data})


def ping(*, hook: Webhook) -> WebhookDelivery:
    """A delivery to try the receiver with; it is sent and logged as all others."""
    delivery = WebhookDelivery.objects.create(
        webhook=hook,
        event=Event.PING,
        body=_body(Event.PING, {"webhook": str(hook.pk)}),
        next_attempt_at=clock.now(),
    )
    transaction.on_commit(_announce, robust=True)
    return delivery


def _announce() -> None:
    announce("ledger.tasks.webhooks_sweep", once_in_s=1)
