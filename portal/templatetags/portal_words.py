"""Template tags for what drivers read: the ledger state (ledger/state/words.py), and the bars of the history."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template

from ledger.state.labels import field_name
from ledger.state.words import StateWords, state_of
from portal.history import words
from portal.statements.statements import zone_of
from portal.welcome.operator import Operator, operator

register = template.Library()
register.filter("ledger_state", state_of)
register.filter("field_name", field_name)
register.filter("span_title", words.title)
register.filter("span_short", words.short)
register.filter("ticks", words.ticks)
register.filter("edge", words.edge)
register.filter("value_text", words.value_text)
register.filter("chart_name", words.chart_name)
register.filter("summary", words.summary)
register.filter("valued", words.valued)
register.filter("axis_name", words.axis_name)


@register.simple_tag(takes_context=True)
def reader_zone(context: Any) -> ZoneInfo:
    """Where the clock of whoever reads this page stands: their own zone, else that of their newest charge."""
    return zone_of(context["request"].user)


@register.filter
def scaled(value: int, digits: int) -> str:
    """A whole number of small units as the field for a number wants it in every language: 7780, 3 -> "7.780"."""
    return f"{Decimal(value).scaleb(-digits):f}"


@register.simple_tag
def the_operator() -> Operator:
    """Who runs the portal, for the foot of each page."""
    return operator()


@register.inclusion_tag("_state.html")
def state_badge(state: StateWords) -> dict[str, Any]:
    """A mark and a word, then the detail in a quieter voice."""
    return {"state": state}
