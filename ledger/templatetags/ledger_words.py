"""Template tags for the ledger state; the words are in ledger/words.py."""

from typing import Any

from django import template
from django.db.models import Count, Min
from django.utils import timezone

from ledger import span_words
from ledger.models import Alert, LedgerEntry
from ledger.words import StateWords, field_name, state_of
from stations.words import spelled

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
    """For the admin's home: open alerts, oldest first, and what waits to be recorded."""
    alerts = Alert.objects.filter(closed_at__isnull=True).order_by("opened_at")
    waiting = LedgerEntry.objects.ready().aggregate(count=Count("pk"), oldest=Min("opened_at"))
    age = spelled(timezone.now() - waiting["oldest"]) if waiting["oldest"] else ""
    return {"alerts": alerts, "waiting": waiting["count"], "age": age}
