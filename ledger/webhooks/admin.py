"""Webhooks in the admin: whose, where to, how it goes; switched off and on, never with their secrets."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from common.admin_english import in_english
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from ledger.models import Webhook, WebhookDelivery


@admin.register(Webhook)
class WebhookAdmin(ReadOnly, Logged):
    list_display = ("url", "owner", "is_active", "failing_since", "disabled_reason_shown", "created_at")
    list_filter = ("is_active", ("failing_since", admin.EmptyFieldListFilter))
    list_select_related = ("user", "client")
    search_fields = ("url", "user__username", "client__name")
    fields = (
        "id",
        "url",
        "description",
        "user",
        "client",
        "is_active",
        "failing_since",
        "held_until",
        "disabled_reason_shown",
        "created_at",
    )

    disabled_reason_shown = in_english("disabled_reason", _("disabled reason"))

    @admin.display(description=_("owner"))
    def owner(self, hook: Webhook) -> str:
        """The person or the program."""
        return str(hook.user or hook.client)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly, Logged):
    list_display = (
        "created_at",
        "webhook",
        "event",
        "status",
        "attempts",
        "response_status",
        "error_shown",
        "delivered_at",
    )
    fields = (
        *("webhook", "event", "session", "body", "status", "created_at", "attempts", "next_attempt_at"),
        *("last_attempt_at", "delivered_at", "response_status", "error_shown"),
    )
    list_filter = ("status", "event")
    list_select_related = ("webhook",)
    search_fields = ("=id", "webhook__url")
    date_hierarchy = "created_at"

    error_shown = in_english("error", _("error"))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Also by webhook, where the webhook's page links to."""
        return lookup == "webhook__id__exact" or super().lookup_allowed(lookup, value, request)
