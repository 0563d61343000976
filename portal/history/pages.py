"""The charging history: the page, and the file of what it shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, TypedDict, cast

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.privacy.access_log import Look, access_note_all
from ledger.state.counting import Role, counted_of
from ledger.state.marking import mark_differing
from ledger.state.rows import in_rows
from ledger.state.words import Kind, StateWords, state_of
from portal.history import sums
from portal.history.figures import Figures, Span, Unit, figures_of, span_chosen
from portal.history.filter import BY_TIME, SORTS, HistoryFilter, in_days, ordered
from portal.history.sums import Totals
from portal.reading import in_rows_of, problem, reader_of
from portal.session.csv import csv_lines
from stations.charging import words
from stations.charging.power import Progress, progress_reported
from stations.charging.words import Period
from stations.models import ChargingSession, ChargingSessionQuerySet
from stations.tariffs.bill import cost_so_far

PAGE_SIZE = 20
FILTERS = ("from", "to", "site", "station", "token", "state")


class Row(TypedDict):
    """What stands in a row, as text: filters that a template calls for each of them take longer.

    A dictionary, as templates look for keys first and for attributes when that has failed.
    """

    pk: str
    address: str
    day: str
    span: str
    place: str
    outlet: str
    clock: str
    energy: str
    billed: bool
    cost: str
    state: Kind
    label: str
    detail: str
    role: Role
    left_out: bool
    now: str


def _row(session: ChargingSession, state: StateWords) -> Row:
    """With the figures that were recorded; `now` says what stands in the database where that is something else."""
    counted = counted_of(session, differs=state.kind == "mismatch")
    shown = counted.figures or session
    period = words.period(shown)
    return {
        "pk": str(session.pk),
        "address": reverse("session", args=[session.pk]),
        "day": period.day,
        "span": period.span,
        "place": words.place(shown),
        "outlet": words.outlet(shown),
        "clock": words.clock(words.duration(shown)),
        "energy": words.kwh(shown.energy_wh),
        "billed": shown.status != ChargingSession.Status.INVALID,
        "cost": words.money(shown.cost_minor, shown.currency),
        "state": state.kind,
        "label": state.label,
        "detail": state.detail,
        "role": counted.role,
        "left_out": counted.figures is None,
        "now": _now(session, shown),
    }


def _now(session: ChargingSession, recorded: ChargingSession) -> str:
    """The figures that somebody put in the place of the recorded ones; "" where these are the same."""
    before, now = (_figures(one) for one in (recorded, session))
    return "" if before == now else gettext("changed to %(figures)s") % {"figures": now}


def _figures(session: ChargingSession) -> str:
    return f"{words.kwh_exact(session.energy_wh or 0)} kWh, {words.money(session.cost_minor, session.currency)}"


@dataclass(frozen=True)
class ChargingRow:
    session: ChargingSession
    period: Period
    progress: Progress
    cost: tuple[int, str] | None


class History:
    """What one reader sees under the address that he asked for."""

    def __init__(self, user: User, query: Mapping[str, Any]) -> None:
        self.user, self.query = user, query
        self.everybody = sums.sees_all(user)
        self.visible = ChargingSession.objects.visible_to(user)
        newest = sums.newest(self.visible) if self.everybody else None
        self.used = [] if self.everybody else sums.used_by(self.visible)
        self.is_empty = not newest and not self.used
        latest = words.zone(newest).key if newest else sums.latest_zone(self.used)
        self.where = sums.reading_zone(user, latest)
        self.today = timezone.now().astimezone(self.where).date()
        choices = sums.choices_of_everybody() if self.everybody else sums.choices_of(self.used)
        data = self._latest_month(newest) if newest else query
        self.form = HistoryFilter(data, choices=choices, where=self.where, everybody=self.everybody)

    def _latest_month(self, newest: ChargingSession) -> Mapping[str, Any]:
        """Who sees everything and names neither days nor a station or card gets the latest month."""
        if any(self.query.get(name) for name in ("from", "to", "station", "token")):
            return self.query
        month = Span.around(newest.started_at.astimezone(self.where).date(), "month")
        return {**{name: self.query.get(name) for name in FILTERS}, "from": str(month.first), "to": str(month.last)}

    @property
    def is_filtered(self) -> bool:
        return any(self.query.get(name) for name in FILTERS)

    @property
    def found(self) -> ChargingSessionQuerySet:
        """The finished sessions that fit."""
        return self.form.narrow(self.visible).closed()

    @property
    def sort(self) -> str:
        return self.query["sort"] if self.query.get("sort") in SORTS else "newest"

    @property
    def wanted(self) -> Unit | None:
        """Which bars the address asks for; None where it leaves that to the page."""
        return cast(Unit, self.query["bars"]) if self.query.get("bars") in {"day", "month", "year"} else None

    @cached_property
    def days(self) -> tuple[date | None, date | None]:
        chosen = self.form.cleaned_data if self.form.is_valid() else {}
        return chosen.get("from"), chosen.get("to")

    @cached_property
    def groups(self) -> list[Mapping[str, Any]]:
        """The sums by day; for who sees everything only of the days that he named, and of the month or year before."""
        sessions = self.form.narrow_but_for_days(self.visible)
        first, last = self.days
        if self.everybody and first and last:
            before = Span(first, last).before
            sessions = in_days(sessions, before.first if before else first, last, self.where)
        return list(sums.by_day(sessions, self.where))

    @cached_property
    def totals(self) -> Totals:
        first, last = self.days
        inside = [group for group in self.groups if (first or date.min) <= group["day"] <= (last or date.max)]
        return sums.totals_of(inside)

    @property
    def figures(self) -> Figures | None:
        span = span_chosen(self.groups, *self.days, self.wanted or "day")
        if span is None:
            return None
        return figures_of(self.groups, span, self.wanted, today=self.today, everybody=self.everybody)

    def page(self) -> tuple[Page[Any], list[ChargingSession]]:
        """The page of the list, and its sessions; found by their keys alone, as skipping whole rows takes long."""
        paginator = Paginator(ordered(self.found, self.sort).values_list("pk", flat=True), PAGE_SIZE)
        paginator.count = self.totals.rows  # known already, not counted again
        page = paginator.get_page(self.query.get("page"))
        keys: Any = page.object_list  # not read here: it becomes a part of the query for the sessions
        sessions = ordered(ChargingSession.objects.filter(pk__in=keys), self.sort)
        return page, list(in_rows(sessions)) if self.everybody else in_rows_of(self.used, sessions)

    def shown(self) -> tuple[Page[Any], list[tuple[ChargingSession, StateWords]]]:
        """The page of the list, and its sessions in words. What differs is marked if it was not, then summed anew."""
        page, sessions = self.page()
        told = [(session, state_of(session)) for session in sessions]
        if mark_differing(session for session, state in told if state.kind == "mismatch"):
            vars(self).pop("groups", None)
            vars(self).pop("totals", None)
        return page, told

    def charging(self) -> list[ChargingRow]:
        if not self.everybody and not any(group["charging"] for group in self.groups):
            return []
        return [_charging_row(session) for session in sums.charging(self.visible)]


def _charging_row(session: ChargingSession) -> ChargingRow:
    progress = progress_reported(session)
    return ChargingRow(session, words.period(session), progress, cost_so_far(session, progress.energy_wh))


@require_safe
@login_required
@never_cache
def history_page(request: HttpRequest) -> HttpResponse:
    seen = History(reader_of(request), request.GET)
    if seen.is_empty:
        return render(request, "portal/history/empty.html", {"everybody": seen.everybody})
    page, told = seen.shown()
    sessions = [session for session, _ in told]
    charging, figures = seen.charging(), seen.figures
    if seen.everybody:
        customers = {session.customer_id for session in [*sessions, *(row.session for row in charging)]}
        access_note_all(viewer=seen.user, customers=customers, what=Look.HISTORY)
    rows = [_row(session, state) for session, state in told]
    context = {
        "everybody": seen.everybody,
        "form": seen.form,
        "filtered": seen.is_filtered,
        "quick": _quick(seen),
        "figures": figures,
        "units": _units(seen, figures) if figures else [],
        "latest": not (request.GET.get("from") or request.GET.get("to")),
        "totals": seen.totals,
        "page": page,
        "rows": rows,
        "sort": seen.sort,
        "sorts": [(name, label) for name, (label, _) in SORTS.items()],
        "days": _by_day(rows) if seen.sort in BY_TIME else [("", rows)],
        "by_time": seen.sort in BY_TIME,
        "zones": words.zone_names(sessions),
        "charging": charging,
        "refresh": bool(charging) or any(row["state"] in {"pending", "late"} for row in rows),
    }
    return render(request, "portal/history/history.html", context)


def _by_day(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    return [(day, list(group)) for day, group in groupby(rows, key=itemgetter("day"))]


def _quick(seen: History) -> list[tuple[str, Span, bool]]:
    """(name, its days, whether it is chosen) of the links to a month or a year."""
    month, year = Span.around(seen.today, "month"), Span.around(seen.today, "year")
    named = [(gettext("This month"), month), (gettext("Last month"), month.before)]
    if not seen.everybody:
        named += [(gettext("This year"), year), (gettext("Last year"), year.before)]
    chosen = seen.days if seen.query.get("from") else None
    return [(name, span, chosen == (span.first, span.last)) for name, span in named if span]


def _units(seen: History, figures: Figures) -> list[tuple[str, str]]:
    """(unit, its name) of the bars to choose from; without days in the filter the unit decides about the days, too."""
    if seen.days == (None, None):
        return [("day", gettext("Month")), ("month", gettext("Year"))]
    names = {"day": gettext("By day"), "month": gettext("By month"), "year": gettext("By year")}
    return [(unit, names[unit]) for unit in figures.units] if len(figures.units) > 1 else []


@require_safe
@login_required
@never_cache
def history_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The sessions that the same filter shows on the history page, all of them in the same order, as a file."""
    seen = History(reader_of(request), request.GET)
    if not seen.form.is_valid():
        problems = "; ".join(f"{name}: {' '.join(map(str, errors))}" for name, errors in seen.form.errors.items())
        title, todo = gettext("This filter cannot be used"), gettext("Set the filter anew on the history page.")
        return problem(request, 400, title, problems, todo)
    if seen.user.is_staff:
        customers = seen.found.order_by().values_list("customer_id", flat=True).distinct()
        access_note_all(viewer=seen.user, customers=customers, what=Look.EXPORT)
    lines = csv_lines(in_rows(ordered(seen.found, seen.sort)))
    name = f"evportal-sessions-{timezone.now():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
