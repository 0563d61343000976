"""One message that a receiver refuses holds up no other; a receiver in trouble is left alone as a whole."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ledger.models import Webhook, WebhookDelivery
from ledger.webhooks import delivery
from tests.api.conftest import Caller
from tests.api.test_webhooks import Receiver, deliver, later, receiver, record

pytestmark = pytest.mark.django_db
__all__ = ["receiver", "record"]


def told(receiver: Receiver) -> list[str]:
    return [json.loads(body)["data"]["session"] for _, body in receiver.heard]


def in_order() -> list[WebhookDelivery]:
    return list(WebhookDelivery.objects.order_by("next_attempt_at", "created_at", "id"))


@pytest.mark.parametrize("status", [301, 400, 404, 422, 500, 502])
def test_one_that_is_refused_holds_up_no_other(api: Caller, receiver: Receiver, record: Any, status: int) -> None:
    api.post("webhooks", {"url": receiver.url})
    record(5)
    bad = str(in_order()[0].session_id)
    receiver.refuses[bad] = status
    deliver()
    assert len(set(told(receiver))) == 5 and told(receiver)[0] == bad
    assert WebhookDelivery.objects.filter(status="delivered").count() == 4
    waiting = WebhookDelivery.objects.get(status="pending")
    assert (str(waiting.session_id), waiting.attempts, waiting.response_status) == (bad, 1, status)
    assert Webhook.objects.get().held_until is None and delivery.due_webhooks() == []
    record()  # what is recorded meanwhile does not wait either
    deliver()
    assert WebhookDelivery.objects.filter(status="delivered").count() == 5 and told(receiver).count(bad) == 1
    for attempts in range(2, delivery.ATTEMPTS_MAX + 1):
        later()
        deliver()
        waiting.refresh_from_db()
        assert waiting.attempts == attempts
    assert waiting.status == "failed" and Webhook.objects.get().is_active


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_receiver_is_left_alone_and_hears_the_others_first(
    api: Caller, receiver: Receiver, record: Any, status: int
) -> None:
    api.post("webhooks", {"url": receiver.url})
    record(3)
    first, *others = [str(row.session_id) for row in in_order()]
    receiver.refuses[first] = status
    deliver()
    hook = Webhook.objects.get()
    assert told(receiver) == [first] and delivery.due_webhooks() == []
    assert hook.held_until is not None and hook.held_until - timezone.now() <= delivery.HOLDS[0]
    record()  # nor does it hear of new ones
    deliver()
    assert told(receiver) == [first]
    Webhook.objects.update(held_until=timezone.now())
    deliver()
    assert told(receiver)[1:3] == others and len(told(receiver)) == 4
    hook.refresh_from_db()
    assert [hook.held_until, hook.held_times, hook.failing_since] == [None, 0, None]


def test_who_does_not_answer_is_asked_less_and_less(api: Caller, receiver: Receiver, record: Any) -> None:
    api.post("webhooks", {"url": receiver.url})
    record(3)
    receiver.server.shutdown()
    receiver.server.server_close()
    waits = []
    for _ in range(6):
        deliver()
        hook = Webhook.objects.get()
        assert hook.held_until is not None
        waits.append(hook.held_until - max(filter(None, hook.deliveries.values_list("last_attempt_at", flat=True))))
        Webhook.objects.update(held_until=timezone.now())
        WebhookDelivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    for wait, expected in zip(waits, [*delivery.HOLDS, delivery.HOLDS[-1]], strict=True):
        assert expected <= wait < expected + timedelta(seconds=10)
    assert sum(row.attempts for row in in_order()) == 6


def test_a_receiver_that_refuses_everything_is_not_flooded(api: Caller, receiver: Receiver, record: Any) -> None:
    api.post("webhooks", {"url": receiver.url})
    record(2 * delivery.AT_ONCE)
    receiver.status = 500
    deliver()
    deliver()
    assert len(receiver.heard) == delivery.AT_ONCE and Webhook.objects.get().held_until
    receiver.status = 204
    Webhook.objects.update(held_until=timezone.now())
    deliver()  # those that were not tried yet come first
    assert len(set(told(receiver))) == 2 * delivery.AT_ONCE


def test_what_is_due_the_longest_comes_first(api: Caller, receiver: Receiver, record: Any) -> None:
    """Neither do new ones overtake each other, nor do retries starve behind new ones."""
    api.post("webhooks", {"url": receiver.url})
    (old,) = record()
    receiver.status = 500
    deliver()
    WebhookDelivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=5))
    (new,) = record()
    receiver.status = 204
    deliver()
    assert told(receiver)[1:] == [str(old.pk), str(new.pk)]


def test_one_made_active_again_sends_at_once(api: Caller, receiver: Receiver, record: Any) -> None:
    hook = api.post("webhooks", {"url": receiver.url}).json()["id"]
    record(2)
    receiver.status = 410
    deliver()
    assert len(receiver.heard) == 1 and not Webhook.objects.get().is_active
    receiver.status = 204
    api.patch(f"webhooks/{hook}", {"active": True}, If_Match=api.get(f"webhooks/{hook}")["ETag"])
    deliver()
    assert WebhookDelivery.objects.filter(status="delivered").count() == 2
