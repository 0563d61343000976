"""Sending what the outbox holds until it arrived.

At least once: `webhook-id` is the same at each attempt, so a receiver can drop what it has. Signed as Standard Webhooks
say (https://www.standardwebhooks.com): `webhook-signature: v1,BASE64(HMAC-SHA256(secret, id.timestamp.body))`.

An attempt is counted before it is made. A worker that is killed has used it up, and the next one comes by itself.

What a receiver refuses waits alone, longer each time: it says nothing about its neighbours. A receiver that does not
answer, or says that it has too much to do, is left alone as a whole for a while, and hears another message first then.
"""

import base64
import hashlib
import hmac
import logging
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from common import clock, sealed_text
from common.outgoing.addresses import AddressRefused, resolve
from common.outgoing.asking import Asker, NoAnswer, Patience
from common.resealing import Column, column_add
from common.sealed_text import SealedTextError
from ledger.models import Webhook, WebhookDelivery

log = logging.getLogger(__name__)
Status, Event = WebhookDelivery.Status, WebhookDelivery.Event
SECRET_PREFIX = "whsec_"  # noqa: S105 - how such a secret begins
BACKOFF = [timedelta(seconds=s) for s in (10, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)]
ATTEMPTS_MAX = len(BACKOFF)  # over about three days
DISABLED_AFTER = timedelta(days=3)  # of nothing but failures
KEPT_FOR = timedelta(days=30)
# In all less than the first wait, or another would begin the same attempt
PATIENCE = Patience(connect_s=3.0, read_s=5.0, whole_s=8.0)
AT_ONCE = 20
TOO_BUSY = {429, 503}
HOLDS = [*BACKOFF[:4], timedelta(hours=1)]  # how long a receiver in trouble is left alone, again and again
OWNER_ACTIVE = Q(user__is_active=True) | Q(client__is_active=True)


def secret_make(*, hook: Webhook) -> str:
    """A new secret for this webhook (not saved here); returned this once, stored encrypted."""
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    hook.secret = sealed_text.seal(secret)
    return secret


def add_column() -> None:
    """To be called when Django starts."""
    column_add(Column("secrets of webhooks", Webhook, "secret", lambda hook: sealed_text.sealed_anew(hook.secret)))


def signature(secret: str, *, message_id: str, timestamp: int, body: str) -> str:
    """The value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def open_webhooks() -> QuerySet[Webhook]:
    """Those that may be called now: not switched off, not left alone for a while."""
    rested = Q(held_until__isnull=True) | clock.due("held_until", HOLDS[-1])
    return Webhook.objects.filter(OWNER_ACTIVE, rested, is_active=True)


def due_webhooks() -> list[Any]:
    """The ids of webhooks that have something due."""
    due = WebhookDelivery.objects.filter(clock.due("next_attempt_at", BACKOFF[-1]), status=Status.PENDING)
    return list(open_webhooks().filter(pk__in=due.order_by().values("webhook")).values_list("pk", flat=True))


def all_due(*, hook: Webhook) -> None:
    """What waits for a later attempt may be sent at once."""
    waiting = hook.deliveries.filter(status=Status.PENDING, next_attempt_at__gt=clock.now())
    waiting.update(next_attempt_at=clock.now())


def webhook_deliver(*, hook: Webhook) -> bool:
    """Send what is due to this webhook, what waits longest first; whether there may be more to send."""
    due = hook.deliveries.filter(clock.due("next_attempt_at", BACKOFF[-1]), status=Status.PENDING)
    deliveries = list(due.order_by("next_attempt_at", "created_at", "id")[:AT_ONCE])
    if not all(delivery_send(delivery=delivery, hook=hook) for delivery in deliveries) or len(deliveries) < AT_ONCE:
        return False
    sent = hook.deliveries.filter(pk__in=[delivery.pk for delivery in deliveries])
    if not sent.filter(status=Status.DELIVERED).exists():  # so many in a row: it is the receiver after all
        _hold(hook)
        hook.save(update_fields=["held_until", "held_times"])
    return hook.held_until is None


def delivery_send(*, delivery: WebhookDelivery, hook: Webhook) -> bool:
    """One attempt; whether the next delivery may follow: not to a receiver in trouble, nor beside another worker."""
    if not _claim(delivery):
        return False
    status, error = _post(delivery, hook)
    if status is not None and 200 <= status < 300:
        _arrived(delivery, hook, status)
        return True
    _failed(delivery, hook, status, error or f"expected a status from 200 to 299, got {status}")
    return hook.is_active and hook.held_until is None


def _claim(delivery: WebhookDelivery) -> bool:
    """Count the attempt before it is made. The count is compared: of two workers one makes it."""
    now, tried = clock.now(), delivery.attempts
    is_due = WebhookDelivery.objects.filter(pk=delivery.pk, status=Status.PENDING, attempts=tried)
    delivery.attempts, delivery.last_attempt_at = tried + 1, now
    delivery.next_attempt_at = now + BACKOFF[min(tried, ATTEMPTS_MAX - 1)]
    fields = ("attempts", "last_attempt_at", "next_attempt_at")
    return bool(is_due.update(**{name: getattr(delivery, name) for name in fields}, error="no answer yet"))


def _post(delivery: WebhookDelivery, hook: Webhook) -> tuple[int | None, str]:
    """The receiver's status, or None and why there is none. Its answer is not read: only the status counts."""
    try:
        target = resolve(hook.url, local_allowed=settings.WEBHOOK_ALLOW_LOCAL)
        headers = _headers(delivery, sealed_text.unseal(hook.secret))
        with Asker(strangers=True) as asker:
            answer = asker.ask(
                "POST",
                hook.url,
                target=target,
                content=delivery.body.encode(),
                headers=headers,
                patience=PATIENCE,
                most=0,
            )
            return answer.status, ""
    except AddressRefused as error:
        return None, str(error)
    except SealedTextError:
        return None, "the secret cannot be read any more: make a new one"
    except NoAnswer as error:
        return None, f"no answer: {error}"


def _headers(delivery: WebhookDelivery, secret: str) -> dict[str, str]:
    timestamp, message_id = int(clock.now().timestamp()), str(delivery.pk)
    return {
        "Content-Type": "application/json",
        "User-Agent": "EVPortal-Webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id=message_id, timestamp=timestamp, body=delivery.body),
    }


def _arrived(delivery: WebhookDelivery, hook: Webhook, status: int) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        status=Status.DELIVERED, delivered_at=clock.now(), response_status=status, error=""
    )
    if hook.failing_since is not None or hook.held_times:
        hook.begin_anew()
        hook.save(update_fields=["failing_since", "held_until", "held_times"])


def _failed(delivery: WebhookDelivery, hook: Webhook, status: int | None, error: str) -> None:
    """Note it; a receiver in trouble is left alone for a while, one that refuses this message is not."""
    over = delivery.attempts >= ATTEMPTS_MAX
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        status=Status.FAILED if over else Status.PENDING, response_status=status, error=error[:200]
    )
    now = clock.now()
    hook.failing_since = hook.failing_since or now
    hook.held_until = None
    if status is None or status in TOO_BUSY:
        _hold(hook)
    if status == 410:  # Standard Webhooks: the receiver does not want to hear of it again
        hook.is_active, hook.disabled_reason = False, "the receiver answered 410 Gone"
    elif now - hook.failing_since >= DISABLED_AFTER:
        hook.is_active = False
        hook.disabled_reason = f"nothing arrived since {hook.failing_since:%Y-%m-%d %H:%M} UTC; the last error: {error}"
    hook.disabled_reason = hook.disabled_reason[:200]
    hook.save(update_fields=["failing_since", "held_until", "held_times", "is_active", "disabled_reason"])
    log.info("webhook %s: attempt %d of %s failed: %s", hook.pk, delivery.attempts, delivery.pk, error[:200])


def _hold(hook: Webhook) -> None:
    """Leave the receiver alone for a while, longer each time (not saved here)."""
    hook.held_until = clock.now() + HOLDS[min(hook.held_times, len(HOLDS) - 1)]
    hook.held_times = min(hook.held_times + 1, len(HOLDS))


def deliveries_prune() -> int:
    """Forget deliveries that were made or given up 30 days ago; returns how many."""
    old = WebhookDelivery.objects.filter(created_at__lt=clock.now() - KEPT_FOR).exclude(status=Status.PENDING)
    deleted, _ = old.delete()
    return deleted
