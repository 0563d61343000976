"""Webhooks, and the outbox of what they are told (ledger/webhooks/outbox.py)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _


class Webhook(models.Model):
    """An address that a person or a program wants to have told of recorded sessions, and of their commands' ends."""

    id = models.UUIDField("ID", primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        verbose_name=_("account"),
    )
    client = models.ForeignKey(
        "accounts.ApiClient",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        verbose_name=_("program"),
    )
    url = models.CharField("URL", max_length=500)
    description = models.CharField(_("description"), max_length=100, blank=True, default="")
    secret = models.TextField(editable=False)  # encrypted: common/sealed_text.py
    is_active = models.BooleanField(pgettext_lazy("webhook", "active"), default=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)
    # a receiver in trouble is left alone until then; and how often it was, since something arrived
    held_until = models.DateTimeField(_("held until"), null=True, blank=True, editable=False)
    held_times = models.PositiveSmallIntegerField(_("times held"), default=0, editable=False)
    disabled_reason = models.CharField(_("disabled reason"), max_length=200, blank=True, default="", editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("webhook"), _("webhooks")
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, client__isnull=True) | Q(user__isnull=True, client__isnull=False),
                name="webhook_has_one_owner",
            )
        ]

    def __str__(self) -> str:
        return gettext("webhook %(url)s") % {"url": self.url[:60]}

    def begin_anew(self) -> None:
        """As if nothing had failed (not saved here)."""
        self.failing_since, self.held_until, self.held_times, self.disabled_reason = None, None, 0, ""


class WebhookDelivery(models.Model):
    """One event for one webhook: the outbox and the log in one. Kept for 30 days."""

    class Event(models.TextChoices):
        RECORDED = "session.recorded", pgettext_lazy("event", "Recorded")
        FINISHED = "command.finished", pgettext_lazy("event", "Command finished")
        PING = "ping", "Ping"

    class Status(models.TextChoices):
        # is tried, or will be again at `next_attempt_at`
        PENDING = "pending", pgettext_lazy("delivery", "Pending")
        DELIVERED = "delivered", pgettext_lazy("delivery", "Delivered")
        FAILED = "failed", pgettext_lazy("delivery", "Failed")  # given up

    id = models.UUIDField("ID", primary_key=True, default=uuid.uuid4, editable=False)  # the receiver's `webhook-id`
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("webhook"))
    event = models.CharField(_("event"), max_length=20, choices=Event.choices)
    session = models.ForeignKey(
        "stations.ChargingSession",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhook_deliveries",
        verbose_name=pgettext_lazy("charging", "session"),
    )
    body = models.TextField(_("body"))  # exactly what is sent and signed, each time
    status = models.CharField(_("status"), max_length=9, choices=Status.choices, default=Status.PENDING)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    last_attempt_at = models.DateTimeField(_("last attempt at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(_("response status"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=200, blank=True, default="")

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name, verbose_name_plural = _("webhook delivery"), _("webhook deliveries")
        constraints = [
            # An event is written once, whoever finds the session recorded, and however often.
            models.UniqueConstraint(
                fields=["webhook", "session"], condition=Q(event="session.recorded"), name="webhook_told_once"
            )
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(status="pending"), name="webhook_delivery_due"),
            models.Index(fields=["webhook", "-created_at", "-id"], name="webhook_delivery_log"),
            models.Index(fields=["created_at"], name="webhook_delivery_oldest"),
        ]

    def __str__(self) -> str:
        words = {"event": self.event, "webhook": self.webhook_id, "status": self.status}
        return gettext("%(event)s to %(webhook)s (%(status)s)") % words
