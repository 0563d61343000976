"""Last step of the history: what was found, in the words of its page, as the template takes it. Asks nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, TypedDict

from django.urls import reverse
from django.utils.translation import gettext, pgettext_lazy

from ledger.state.counting import Role
from ledger.state.labels import Kind
from portal.history.figures import Figures
from portal.history.filter import Asked
from portal.history.order import BY_TIME, SORTS
from portal.history.query import Found, Told
from portal.history.spans import Span
from portal.history.visible import Visible
from stations.charging import words
from stations.charging.power import Progress, progress_reported
from stations.charging.reported_values import values_stored
from stations.charging.words import Period
from stations.models import ChargingSession
from stations.tariffs.charged import cost_so_far


def context_of(visible: Visible, asked: Asked, found: Found, figures: Figures | None) -> dict[str, Any]:
    """For templates/portal/history/history.html, but for what depends on the request alone."""
    rows = [_row(one) for one in found.told]
    return {
        "everybody": visible.everybody,
        "form": asked.form,
        "filtered": asked.filtered,
        "quick": _quick(visible, asked),
        "figures": figures,
        "units": _units(asked, figures) if figures else [],
        "latest": asked.undated,
        "totals": found.totals,
        "page": found.page,
        "rows": rows,
        "sort": asked.sort,
        "sorts": [(name, label) for name, (label, _) in SORTS.items()],
        "days": _by_day(rows) if asked.sort in BY_TIME else [("", rows)],
        "by_time": asked.sort in BY_TIME,
        "zones": words.zone_names([one.session for one in found.told]),
        "charging": _charging_rows(found.charging),
        "refresh": bool(found.charging) or any(row["state"] in {"pending", "late"} for row in rows),
    }


# --- The list


# What a row says of the meter's signature; nothing where it signed nothing, which the charge's own page says.
SIGNED = {
    "VERIFIED": pgettext_lazy("charge", "signed by the meter"),
    "NOT CHECKED": pgettext_lazy("charge", "signed, not checked here"),
    "FAILED": pgettext_lazy("charge", "signature of the meter failed"),
}


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
    signed: str


def _row(told: Told) -> Row:
    """With the figures that were recorded; `now` says what stands in the database where that is something else."""
    session, state, counted = told.session, told.state, told.counted
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
        "detail": "" if state.kind == "recorded" else state.detail,  # the block is on the session's own page
        "role": counted.role,
        "left_out": counted.figures is None,
        "now": _now(session, shown),
        "signed": str(SIGNED.get(shown.signed_verdict, "")),
    }


def _now(session: ChargingSession, recorded: ChargingSession) -> str:
    """The figures that somebody put in the place of the recorded ones; "" where these are the same."""
    before, now = (_figures(one) for one in (recorded, session))
    return "" if before == now else gettext("changed to %(figures)s") % {"figures": now}


def _figures(session: ChargingSession) -> str:
    return f"{words.kwh_exact(session.energy_wh or 0)} kWh, {words.money(session.cost_minor, session.currency)}"


def _by_day(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    return [(day, list(group)) for day, group in groupby(rows, key=itemgetter("day"))]


# --- What charges now


@dataclass(frozen=True)
class ChargingRow:
    """A charge that goes on: `cost` so far in (minor units, currency), None where no tariff tells."""

    session: ChargingSession
    period: Period
    progress: Progress
    cost: tuple[int, str] | None


def _charging_rows(sessions: Sequence[ChargingSession]) -> list[ChargingRow]:
    values = values_stored(sessions)
    rows = []
    for session in sessions:
        progress = progress_reported(session)
        cost = cost_so_far(session, progress.energy_wh, values[session.pk])
        shown = (cost.minor, cost.currency) if cost else None
        rows.append(ChargingRow(session, words.period(session), progress, shown))
    return rows


# --- What there is to choose from


def _quick(visible: Visible, asked: Asked) -> list[tuple[str, Span, bool]]:
    """(name, its days, whether it is chosen) of the links to a month or a year."""
    month, year = Span.around(visible.today, "month"), Span.around(visible.today, "year")
    named = [(gettext("This month"), month), (gettext("Last month"), month.before)]
    if not visible.everybody:
        named += [(gettext("This year"), year), (gettext("Last year"), year.before)]
    chosen = None if asked.undated else asked.days
    return [(name, span, chosen == (span.first, span.last)) for name, span in named if span]


def _units(asked: Asked, figures: Figures) -> list[tuple[str, str]]:
    """(unit, its name) of the bars to choose from; without days in the filter the unit decides about the days, too."""
    if asked.days == (None, None):
        return [("day", gettext("Month")), ("month", gettext("Year"))]
    names = {"day": gettext("By day"), "month": gettext("By month"), "year": gettext("By year")}
    return [(unit, names[unit]) for unit in figures.units] if len(figures.units) > 1 else []
