"""PURE: fourth step of the history, the upper half of its page: a month or year against the one before, and bars.

All of it is made of the sums by day (`portal.history.query.by_day`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from common.chart import Plot, plot_of
from portal.history.spans import UNITS, Days, Span, Unit
from portal.history.totals import Group, Totals, totals_of

# More bars than these are too thin to see on a telephone; fewer are preferred where there is a choice.
BARS_MAX = {"day": 62, "month": 60, "year": 101}
CURRENCIES_DRAWN = 4


@dataclass(frozen=True)
class Bar:
    span: Span
    totals: Totals


@dataclass(frozen=True)
class Chart:
    """One quantity over the bars: energy (currency ""), or cost in one currency. `values` in Wh or minor units."""

    currency: str
    values: list[int]
    plot: Plot


@dataclass(frozen=True)
class Figures:
    """What the page shows of a span. `earlier`, `later`: its neighbours, where the list goes on in that direction."""

    span: Span
    totals: Totals
    before: Totals | None
    current: bool
    earlier: Span | None
    later: Span | None
    unit: Unit
    units: list[Unit]
    bars: list[Bar]
    charts: list[Chart]
    undrawn: bool  # more currencies than are drawn

    @property
    def filled(self) -> list[Bar]:
        """The rows of the table behind the chart: bars with a session."""
        return [bar for bar in self.bars if bar.totals.sessions]


def figures_for(
    groups: Sequence[Group], days: Days, wanted: Unit | None, *, today: date, everybody: bool
) -> Figures | None:
    """Of the days that the filter asks for, with the bars that the address wants; None without anything to sum up."""
    span = span_chosen(groups, *days, wanted or "day")
    return figures_of(groups, span, wanted, today=today, everybody=everybody) if span else None


def span_chosen(groups: Sequence[Group], first: date | None, last: date | None, unit: Unit) -> Span | None:
    """The days that the page sums up: those of the filter, else the latest month, or year for a bar a month.

    None where there is nothing to sum up.
    """
    if not groups:
        return None
    if first is None and last is None:
        return Span.around(groups[-1]["day"], "year" if unit != "day" else "month")
    first = first or min(groups[0]["day"], last or groups[0]["day"])
    return Span(first, last or max(groups[-1]["day"], first))


def figures_of(
    groups: Sequence[Group], span: Span, wanted: Unit | None, *, today: date, everybody: bool = False
) -> Figures:
    """Sums and bars of a span; a bar a `wanted` unit where that many can be drawn.

    `everybody`: the groups are not all that there are, so nobody knows here how far the list goes.
    """
    drawn = _drawn(groups, span)
    units = [unit for unit in UNITS if 1 < _count(drawn, unit) <= BARS_MAX[unit]] or ["day" if span.unit else "year"]
    unit = wanted if wanted in units else units[0]
    bars = [Bar(part, totals_of(part.of(groups))) for part in drawn.parts(unit)]
    days = [group["day"] for group in groups if group["sessions"]]
    before, after = span.before, span.after
    paid = _paid(bars)
    is_after = after and (after.first <= today if everybody else any(day >= after.first for day in days))
    return Figures(
        span=span,
        totals=totals_of(span.of(groups)),
        before=totals_of(before.of(groups)) if before else None,
        current=span.first <= today <= span.last,
        earlier=before if before and (everybody or any(day <= before.last for day in days)) else None,
        later=after if is_after else None,
        unit=unit,
        units=units,
        bars=bars,
        charts=_charts(bars, paid[:CURRENCIES_DRAWN]),
        undrawn=len(paid) > CURRENCIES_DRAWN,
    )


def _drawn(groups: Sequence[Group], span: Span) -> Span:
    """The span itself if it is a month or year; else without the days at its ends on which nothing happened."""
    days = [group["day"] for group in span.of(groups)]
    return span if span.unit or not days else Span(days[0], days[-1])


def _count(span: Span, unit: Unit) -> int:
    if unit == "day":
        return (span.last - span.first).days + 1
    years = span.last.year - span.first.year
    return years + 1 if unit == "year" else 12 * years + span.last.month - span.first.month + 1


def _paid(bars: Sequence[Bar]) -> list[str]:
    """Currencies with a cost to draw: where all of it was free, there is nothing to see."""
    return sorted({currency for bar in bars for currency, minor in bar.totals.by_currency.items() if minor})


def _charts(bars: Sequence[Bar], currencies: Sequence[str]) -> list[Chart]:
    energies = [bar.totals.energy_wh for bar in bars]
    costs = [(currency, [bar.totals.by_currency.get(currency, 0) for bar in bars]) for currency in currencies]
    return [Chart(currency, values, plot_of(values)) for currency, values in [("", energies), *costs]]
