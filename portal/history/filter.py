"""Second step of the history: what its address asks for. Reads the address and what the reader may name, nothing else.

No database: everything that the words of an address can mean is known from `Visible` already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import gettext

from ledger.state.filters import IN_STATE
from ledger.state.labels import LABELS_PLAIN
from portal.history.fields import FIRST_DAY, DayField, NamedField, typed_field
from portal.history.order import SORTS, USUAL
from portal.history.spans import UNITS, Days, Span, Unit
from portal.history.visible import Visible

FILTERS = ("from", "to", "site", "station", "token", "state")
# Who sees everything looks at this many days at once: the sums of more would take seconds.
DAYS_OF_EVERYBODY = 92


@dataclass(frozen=True)
class Asked:
    """What an address asks for. What makes no sense in it is explained in `form`, and `chosen` is None then.

    `chosen`: the values of FILTERS. `days`: first and last, None without that end; `undated` says that the address
    names neither, whatever was taken in their place. `bars` is None where the page may decide.
    """

    form: forms.Form
    chosen: Mapping[str, Any] | None
    days: Days
    undated: bool
    filtered: bool
    sort: str
    bars: Unit | None
    page: str | None


def asked_of(query: Mapping[str, Any], visible: Visible) -> Asked:
    """The wishes of an address (its query), each with its usual value where it names none or an unknown one."""
    form = HistoryFilter(_latest_month(query, visible), visible)
    chosen = form.cleaned_data if form.is_valid() else None
    return Asked(
        form=form,
        chosen=chosen,
        days=(chosen["from"], chosen["to"]) if chosen else (None, None),
        undated=not (query.get("from") or query.get("to")),
        filtered=any(query.get(name) for name in FILTERS),
        sort=query["sort"] if query.get("sort") in SORTS else USUAL,
        bars=cast(Unit, query["bars"]) if query.get("bars") in UNITS else None,
        page=query.get("page"),
    )


def _latest_month(query: Mapping[str, Any], visible: Visible) -> Mapping[str, Any]:
    """Who sees everything and names neither days nor a station or card gets the latest month."""
    named = any(query.get(name) for name in ("from", "to", "station", "token"))
    if named or not visible.everybody or visible.newest is None:
        return query
    month = Span.around(visible.newest.astimezone(visible.where).date(), "month")
    return {**{name: query.get(name) for name in FILTERS}, "from": str(month.first), "to": str(month.last)}


class HistoryFilter(forms.Form):
    """From, to (days where the reader's days begin), site (its code), station (identity), token (uid), state.

    Who sees everybody's sessions has to say which days, unless they name a station or token.
    """

    def __init__(self, query: Mapping[str, Any], visible: Visible) -> None:
        super().__init__(query)
        self.visible = visible
        choices = visible.choices
        # "from" is a word of Python, so these are not attributes
        self.fields["from"] = DayField(gettext("From"))
        self.fields["to"] = DayField(gettext("To"))
        self.fields["site"] = NamedField(gettext("Site"), gettext("All sites"), choices.sites)
        self.fields["station"] = _field(gettext("Station"), gettext("All stations"), choices.stations)
        self.fields["token"] = _field(gettext("Card or contract"), gettext("All"), choices.tokens)
        states = [(name, gettext(label)) for name, label in LABELS_PLAIN.items() if name in IN_STATE]
        self.fields["state"] = NamedField(gettext("Record"), gettext("All"), states)

    def clean(self) -> dict[str, Any]:
        """Django's hook for what concerns several fields: the days' order, and how many of them."""
        cleaned = super().clean() or {}
        first, last = cleaned.get("from"), cleaned.get("to")
        if first and last and last < first:
            self.add_error("to", gettext("Expected a day at or after %(day)s.") % {"day": first.isoformat()})
        elif self.visible.everybody and not self.errors and not (cleaned["station"] or cleaned["token"]):
            self._bound(first, last)
        return cleaned

    def _bound(self, first: date | None, last: date | None) -> None:
        if ((last or self.visible.today) - (first or FIRST_DAY)).days >= DAYS_OF_EVERYBODY:
            message = gettext("Expected at most %(days)d days at once, or a station or card.")
            self.add_error("to" if first else "from", message % {"days": DAYS_OF_EVERYBODY})


def _field(label: str, every: str, choices: list[tuple[str, str]] | None) -> forms.Field:
    """A list to choose from, or a field to type into where there are too many."""
    return typed_field(label) if choices is None else NamedField(label, every, choices)
