"""Spans of days and the figures of one, without a page and without a database."""

from datetime import date

from portal.history.figures import figures_of, span_chosen
from portal.history.spans import Span


def test_spans() -> None:
    march = Span.around(date(2026, 3, 15), "month")
    assert (march.first, march.last, march.unit) == (date(2026, 3, 1), date(2026, 3, 31), "month")
    assert march.before == Span(date(2026, 2, 1), date(2026, 2, 28))
    leap = Span.around(date(2024, 2, 29), "year")
    assert leap.after == Span(date(2025, 1, 1), date(2025, 12, 31))
    assert Span(date(2026, 3, 1), date(2026, 3, 30)).before is None
    assert len(leap.parts("day")) == 366
    assert [part.first.month for part in Span(date(2026, 1, 15), date(2026, 3, 2)).parts("month")] == [1, 2, 3]


def test_a_hundred_years_are_drawn_by_year() -> None:
    groups = [
        {"day": date(year, 1, 1), "currency": "EUR", "sessions": 1, "energy": 10, "cost": 1} for year in (2000, 2100)
    ]
    span = span_chosen(groups, date(2000, 1, 1), date(2100, 12, 31), "day")
    assert span
    figures = figures_of(groups, span, "day", today=date(2026, 1, 1))
    assert figures.unit == "year"
    assert len(figures.bars) == 101
    assert figures.totals.energy_wh == 20


def test_costs_are_drawn_where_something_was_paid() -> None:
    names = ["AUD", "CHF", "EUR", "GBP", "USD"]
    today = date(2026, 3, 2)
    for paid, drawn, undrawn in [([], 0, False), (["EUR"], 1, False), (names[:4], 4, False), (names, 4, True)]:
        day = {"day": today, "sessions": 1, "energy": 1_000}
        groups = [{**day, "currency": name, "cost": 100 if name in paid else 0} for name in names]
        figures = figures_of(groups, Span.around(today, "month"), "day", today=today)
        assert [chart.currency for chart in figures.charts] == ["", *paid[:drawn]]
        assert figures.undrawn is undrawn
