"""Template tags for the ledger on the admin's home."""

from typing import Any

from django import template

from ledger.admin.overview import backlog_on_its_way, backlog_ready, chain_state
from ledger.alerts import what_to_do
from ledger.audit.figures import figures
from ledger.models import Alert

register = template.Library()


@register.inclusion_tag("admin/_needs_a_person.html")
def needs_a_person() -> dict[str, Any]:
    """For the admin's home: open alerts, oldest first, then what waits to be recorded, and where the chain is."""
    alerts = Alert.objects.filter(closed_at__isnull=True).order_by("opened_at")
    told = [(alert, what_to_do(alert)) for alert in alerts]
    return {"alerts": told, "ready": backlog_ready(), "sent": backlog_on_its_way(), "chain": chain_state()}


@register.inclusion_tag("admin/_ledger_audit.html", takes_context=True)
def ledger_audit(context: dict[str, Any]) -> dict[str, Any]:
    """For the admin's home: when everything was last compared with the chain, what that found, and how it goes on."""
    return {"audit": figures(), "perms": context["perms"]}
