"""What the history page asks of the database: the filter, its totals, and a month against the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import BooleanField, Count, ExpressionWrapper, Q, Sum
from django.utils import timezone

from accounts.models import User
from ledger.models import ChainTransaction
from stations.models import ChargingSession, ChargingSessionQuerySet, Site
from stations.words import zone, zone_named

Status = ChainTransaction.Status

_FOUND_DIFFERENT = (
    Q(ledger_entry__conflict__gt="")
    | Q(ledger_entry__mismatch__gt="")
    | Q(ledger_entry__transaction__status=Status.CONFLICT)
)
_FOUND_FINE = Q(ledger_entry__conflict="", ledger_entry__mismatch="")
STATES = {
    "recorded": ("Recorded", _FOUND_FINE & Q(ledger_entry__transaction__status=Status.IRREVERSIBLE)),
    "pending": (
        "Being recorded",
        _FOUND_FINE
        & (
            Q(ledger_entry__transaction__isnull=True)
            | Q(ledger_entry__transaction__status__in=[*ChainTransaction.UNFINISHED, Status.EXPIRED])
        ),
    ),
    "mismatch": ("Does not match (found by a check)", _FOUND_DIFFERENT),
    "none": ("Not recorded", Q(ledger_entry__isnull=True)),
}


# --- The filter


class DateInput(forms.DateInput):
    input_type = "date"


def _date_field(label: str) -> forms.DateField:
    message = "Expected a date such as 2015-03-31, in the years 2000 to 2100."
    limits = [MinValueValidator(date(2000, 1, 1), message), MaxValueValidator(date(2100, 12, 31), message)]
    return forms.DateField(
        label=label,
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=DateInput(format="%Y-%m-%d", attrs={"class": "form-control"}),
        validators=limits,
        error_messages={"invalid": message},
    )


def _choice_field(label: str, choices: list[tuple[str, str]]) -> forms.ChoiceField:
    message = "Expected one of the choices in the list."
    select = forms.Select(attrs={"class": "form-select"})
    return forms.ChoiceField(
        label=label, required=False, choices=choices, widget=select, error_messages={"invalid_choice": message}
    )


class HistoryFilter(forms.Form):
    """The filter as the address has it: from, to, site (its code), state. Days are days in `where`."""

    to = _date_field("To")

    def __init__(self, query: Any, *, sites: Sequence[Site], where: ZoneInfo) -> None:
        super().__init__(query)
        self.where = where
        sites_named = [(site.code, site.name) for site in sites]
        state_labels = [(name, label) for name, (label, _) in STATES.items()]
        self.fields["from"] = _date_field("From")  # a word of Python, so not an attribute
        self.fields["site"] = _choice_field("Site", [("", "All sites"), *sites_named])
        self.fields["state"] = _choice_field("Record", [("", "All"), *state_labels])
        self.order_fields(["from", "to", "site", "state"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("from"), cleaned.get("to")
        if first and last and last < first:
            self.add_error("to", f"Expected a day at or after {first.isoformat()}.")
        return cleaned

    @property
    def is_set(self) -> bool:
        return any(self.data.get(name) for name in self.fields)

    def narrow(self, sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
        """The sessions that fit; none where the filter itself cannot be understood."""
        if not self.is_valid():
            return sessions.none()
        chosen = self.cleaned_data
        if chosen["from"]:
            sessions = sessions.filter(started_at__gte=_midnight(chosen["from"], self.where))
        if chosen["to"]:
            sessions = sessions.filter(started_at__lt=_midnight(chosen["to"] + timedelta(days=1), self.where))
        if chosen["site"]:
            sessions = sessions.filter(station__site__code=chosen["site"])
        if chosen["state"]:
            sessions = sessions.filter(STATES[chosen["state"]][1])
        return sessions


def sites_of(user: User, sessions: ChargingSessionQuerySet) -> list[Site]:
    """The sites to choose from: those where he charged, or all for who may see all."""
    if user.has_perm("stations.view_chargingsession"):
        return list(Site.objects.all())
    return list(Site.objects.filter(pk__in=sessions.order_by().values("station__site")))


def _midnight(day: date, where: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), where).astimezone(UTC)


# --- Sums


@dataclass
class Totals:
    """Sums of sessions; `costs` is a list of (minor units, currency), never added over currencies."""

    sessions: int = 0
    energy_wh: int = 0
    costs: list[tuple[int, str]] = field(default_factory=list)

    def add(self, group: Mapping[str, Any]) -> None:
        self.sessions += group["sessions"]
        self.energy_wh += group["energy"] or 0
        if group["currency"]:
            self.costs.append((group["cost"] or 0, group["currency"]))


_SUMS = {"sessions": Count("pk"), "energy": Sum("energy_wh"), "cost": Sum("cost_minor")}


def totals(sessions: ChargingSessionQuerySet) -> Totals:
    found = Totals()
    for group in sessions.order_by("currency").values("currency").annotate(**_SUMS):
        found.add(group)
    return found


@dataclass(frozen=True)
class Months:
    """A month and the one before it. `current`: it is this month, not merely the latest that has sessions."""

    first_day: date
    before_first_day: date
    totals: Totals
    before: Totals
    current: bool


def newest(sessions: ChargingSessionQuerySet) -> ChargingSession | None:
    return sessions.only("started_at", "location").first()


def reading_zone(user: User, session: ChargingSession | None) -> ZoneInfo:
    """Where days and months begin for this reader: his own zone, else that of his newest session."""
    if user.time_zone:
        return zone_named(user.time_zone)
    return zone(session) if session else ZoneInfo("UTC")


def months(sessions: ChargingSessionQuerySet, latest: ChargingSession, where: ZoneInfo) -> Months:
    """The month of the newest session against the one before it."""
    month = latest.started_at.astimezone(where).date().replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    after = (month + timedelta(days=31)).replace(day=1)
    since = ExpressionWrapper(Q(started_at__gte=_midnight(month, where)), output_field=BooleanField())
    this_month, last_month = Totals(), Totals()
    both = sessions.filter(started_at__gte=_midnight(before, where), started_at__lt=_midnight(after, where))
    for group in both.order_by("currency").values("currency", this=since).annotate(**_SUMS):
        (this_month if group["this"] else last_month).add(group)
    current = timezone.now().astimezone(where).date().replace(day=1) == month
    return Months(month, before, this_month, last_month, current)
