"""Template tags for the ledger state; the words are in ledger/words.py."""

from typing import Any

from django import template

from ledger import span_words
from ledger.alerts import what_to_do
from ledger.audit_figures import figures
from ledger.models import Alert
from ledger.overview import backlog_on_its_way, backlog_ready, chain_state
from ledger.words import StateWords, field_name, state_of

register = template.Library()
register.filter("ledger_state", state_of)
register.filter("field_name", field_name)
register.filter("span_title", span_words.title)
register.filter("span_short", span_words.short)
register.filter("ticks", span_words.ticks)
register.filter("edge", span_words.edge)
register.filter("value_text", span_words.value_text)
register.filter("chart_name", span_words.chart_name)
register.filter("summary", span_words.summary)


@register.inclusion_tag("_state.html")
def state_badge(state: StateWords) -> dict[str, Any]:
    """A mark and a word, then the detail in a quieter voice."""
    return {"state": state}


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
