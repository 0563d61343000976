"""The filter of the history page, as its address has it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F, OrderBy, Q
from django.forms.utils import flatatt
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ledger.models import ChainTransaction
from portal.history.sums import Choices, midnight
from stations.models import ChargingSessionQuerySet

Status = ChainTransaction.Status

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)
# Who sees everything looks at this many days at once: the sums of more would take seconds.
DAYS_OF_EVERYBODY = 92

_FOUND_DIFFERENT = (
    Q(ledger_entry__conflict__gt="")
    | Q(ledger_entry__mismatch__gt="")
    | Q(ledger_entry__transaction__status=Status.CONFLICT)
)
_FOUND_FINE = Q(ledger_entry__conflict="", ledger_entry__mismatch="")
STATES: dict[str, tuple[Promise, Q]] = {
    "recorded": (_("Recorded"), _FOUND_FINE & Q(ledger_entry__transaction__status=Status.IRREVERSIBLE)),
    "pending": (
        _("Being recorded"),
        _FOUND_FINE
        & (
            Q(ledger_entry__transaction__isnull=True)
            | Q(ledger_entry__transaction__status__in=[*ChainTransaction.UNFINISHED, Status.EXPIRED])
        ),
    ),
    "mismatch": (_("Differs from its record"), _FOUND_DIFFERENT),
    "none": (_("Not recorded"), Q(ledger_entry__isnull=True)),
}

# Each order is total, so that a row stands on one page only. Costs are compared within a currency.
_NEWEST = [F("started_at").desc(), F("id").desc()]
SORTS: dict[str, tuple[Promise, list[OrderBy]]] = {
    "newest": (_("Newest"), _NEWEST),
    "oldest": (_("Oldest"), [F("started_at").asc(), F("id").asc()]),
    "energy": (_("Energy"), [F("energy_wh").desc(nulls_last=True), *_NEWEST]),
    "cost": (_("Cost"), [F("currency").asc(), F("cost_minor").desc(nulls_last=True), *_NEWEST]),
    "duration": (_("Duration"), [OrderBy(F("stopped_at") - F("started_at"), descending=True), *_NEWEST]),
}
BY_TIME = ("newest", "oldest")


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


class _DateInput(forms.DateInput):
    """Django's own fills a template for each attribute, which takes longer than all of them."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        own = {"type": self.input_type, "name": name, "value": self.format_value(value) or None}
        return format_html("<input{}>", flatatt({**own, **self.build_attrs(self.attrs, attrs)}))


class DayField(forms.DateField):
    """A day such as 2015-03-31. What cannot be read is kept in a field for text: one for dates would hide it."""

    def __init__(self, label: str) -> None:
        attributes = {"class": "form-control", "type": "date"}
        widget = _DateInput(format="%Y-%m-%d", attrs=attributes)
        super().__init__(label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget)

    def to_python(self, value: Any) -> date | None:
        try:
            day = super().to_python(value)
        except ValidationError:
            self._refuse(value)
        if day and not FIRST_DAY <= day <= LAST_DAY:
            self._refuse(value)
        return day

    def _refuse(self, value: Any) -> NoReturn:
        self.widget.input_type = "text"
        message = gettext("Expected a date such as 2015-03-31, in the years 2000 to 2100, got “%(value)s”.")
        raise ValidationError(message % {"value": _shown(value)}, "invalid")


class _Select(forms.Select):
    """Django's own fills a template for each option, which takes longer than the list below it."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = "" if value is None else str(value)
        options = (
            (option, mark_safe(" selected") if str(option) == chosen else "", label) for option, label in self.choices
        )
        attributes = flatatt({**self.build_attrs(self.attrs, attrs), "name": name})
        return format_html(
            "<select{}>{}</select>", attributes, format_html_join("", '<option value="{}"{}>{}</option>', options)
        )


class NamedField(forms.ChoiceField):
    """One of what this reader may choose."""

    def __init__(self, label: str, every: str, choices: list[tuple[str, str]]) -> None:
        select = _Select(attrs={"class": "form-select"})
        super().__init__(label=label, required=False, choices=[("", every), *choices], widget=select)

    def validate(self, value: Any) -> None:
        if value and not self.valid_value(value):
            message = gettext("Expected one of the choices in the list, got “%(value)s”.")
            raise ValidationError(message % {"value": _shown(value)}, "invalid_choice")


def _typed_field(label: str) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, max_length=48, widget=forms.TextInput(attrs={"class": "form-control"})
    )


class HistoryFilter(forms.Form):
    """Narrows by from, to (days in `where`), site (its code), station (identity), token (uid), state.

    `everybody`: the reader sees all sessions, and has to say which days, unless he names a station or token.
    """

    def __init__(self, query: Mapping[str, Any], *, choices: Choices, where: ZoneInfo, everybody: bool) -> None:
        super().__init__(query)
        self.where, self.everybody = where, everybody
        stations, tokens = choices.stations, choices.tokens
        # "from" is a word of Python, so these are not attributes
        self.fields["from"] = DayField(gettext("From"))
        self.fields["to"] = DayField(gettext("To"))
        self.fields["site"] = NamedField(gettext("Site"), gettext("All sites"), choices.sites)
        self.fields["station"] = (
            _typed_field(gettext("Station"))
            if stations is None
            else NamedField(gettext("Station"), gettext("All stations"), stations)
        )
        self.fields["token"] = (
            _typed_field(gettext("Card or contract"))
            if tokens is None
            else NamedField(gettext("Card or contract"), gettext("All"), tokens)
        )
        states = [(name, str(label)) for name, (label, _) in STATES.items()]
        self.fields["state"] = NamedField(gettext("Record"), gettext("All"), states)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("from"), cleaned.get("to")
        if first and last and last < first:
            self.add_error("to", gettext("Expected a day at or after %(day)s.") % {"day": first.isoformat()})
        elif self.everybody and not self.errors and not (cleaned["station"] or cleaned["token"]):
            self._bound(first, last)
        return cleaned

    def _bound(self, first: date | None, last: date | None) -> None:
        today = timezone.now().astimezone(self.where).date()
        if ((last or today) - (first or FIRST_DAY)).days >= DAYS_OF_EVERYBODY:
            message = gettext("Expected at most %(days)d days at once, or a station or card.")
            self.add_error("to" if first else "from", message % {"days": DAYS_OF_EVERYBODY})

    def narrow(self, sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
        """The sessions that fit; none where the filter itself cannot be understood."""
        found = self.narrow_but_for_days(sessions)
        if not self.is_valid():
            return found
        return in_days(found, self.cleaned_data["from"], self.cleaned_data["to"], self.where)

    def narrow_but_for_days(self, sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
        """The same, of all days: what a month is compared with may lie outside of the filter."""
        if not self.is_valid():
            return sessions.none()
        chosen = self.cleaned_data
        if chosen["site"]:
            sessions = sessions.filter(station__site__code=chosen["site"])
        if chosen["station"]:
            sessions = sessions.filter(station__identity=chosen["station"])
        if chosen["token"]:
            sessions = sessions.filter(id_token__uid=chosen["token"])
        if chosen["state"]:
            sessions = sessions.filter(STATES[chosen["state"]][1])
        return sessions


def in_days(
    sessions: ChargingSessionQuerySet, first: date | None, last: date | None, where: ZoneInfo
) -> ChargingSessionQuerySet:
    """Sessions that began on these days, the first and last included; None: without that end."""
    if first:
        sessions = sessions.filter(started_at__gte=midnight(first, where))
    if last:
        sessions = sessions.filter(started_at__lt=midnight(last + timedelta(days=1), where))
    return sessions


def ordered(sessions: ChargingSessionQuerySet, sort: str) -> ChargingSessionQuerySet:
    """In the order of that name; an order that does not exist is the newest first."""
    return sessions.order_by(*SORTS[sort if sort in SORTS else "newest"][1])
