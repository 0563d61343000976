"""The months, years and bars of the history page in the reader's language."""

from decimal import Decimal

from django.utils import dateformat
from django.utils.translation import gettext

from portal.history.figures import Bar, Chart, Figures
from portal.history.spans import Span
from stations.charging.words import amount, date_text, day, kwh, number
from stations.tariffs.currencies import minor_digits

MONTHS_NAMED = 12
LABELS = 6


def title(span: Span) -> str:
    """ "March 2026", "2026", "Sun 1 Mar 2026", "1 Mar 2026 – 5 Apr 2026"."""
    if span.unit == "day":
        return day(span.first)
    if span.unit:
        return dateformat.format(span.first, "F Y" if span.unit == "month" else "Y")
    return f"{date_text(span.first)} – {date_text(span.last)}"


def short(span: Span) -> str:
    """The same where there is little room and the year is known: "Feb", "2025", "28 Feb 2026"."""
    return dateformat.format(span.first, "M") if span.unit == "month" else title(span)


def chart_name(chart: Chart) -> str:
    """What a chart draws, and in which unit: "Energy, kWh", "Cost, EUR"."""
    if chart.currency:
        return gettext("Cost, %(currency)s") % {"currency": chart.currency}
    return gettext("Energy, kWh")


def value_text(value: int, chart: Chart) -> str:
    """A value of this chart with its unit: "7.78 kWh", "3.12 EUR"."""
    return f"{amount(value, chart.currency)} {chart.currency}" if chart.currency else f"{kwh(value)} kWh"


def valued(figures: Figures, chart: Chart) -> list[tuple[Bar, str]]:
    """Each bar with its value in this chart."""
    return [(bar, value_text(value, chart)) for bar, value in zip(figures.bars, chart.values, strict=True)]


def axis_name(figures: Figures) -> str:
    """What the bars stand on: "Day, March 2026", "Month, 2026", "Year"."""
    name = {"day": gettext("Day"), "month": gettext("Month"), "year": gettext("Year")}[figures.unit]
    named = figures.span.unit and figures.span.unit != figures.unit
    return f"{name}, {title(figures.span)}" if named else name


def edge(value: int, chart: Chart) -> str:
    """A round value at the edge of a plot, without needless zeros: 8000 Wh -> "8"."""
    digits = minor_digits(chart.currency) if chart.currency else 3
    return number(Decimal(f"{Decimal(value).scaleb(-digits).normalize():f}"))


def summary(figures: Figures, chart: Chart) -> str:
    """The chart in one sentence, for those who do not see it."""
    highest = max(range(len(chart.values)), key=lambda place: chart.values[place])
    sentence = gettext("%(bars)d bars for %(span)s; the highest is %(when)s with %(value)s.")
    names = {"span": title(figures.span), "when": title(figures.bars[highest].span)}
    return sentence % {"bars": len(chart.values), **names, "value": value_text(chart.values[highest], chart)}


def ticks(figures: Figures) -> list[str]:
    """The words below the bars, one a bar; "" where there is no room."""
    days = [bar.span.first for bar in figures.bars]
    if figures.unit == "month" and len(days) <= MONTHS_NAMED:
        return [dateformat.format(first, "M") for first in days]
    pattern = {"day": "j" if figures.span.unit == "month" else "j M", "month": "M Y", "year": "Y"}[figures.unit]
    every = 7 if pattern == "j" else -(-len(days) // LABELS)
    return [dateformat.format(first, pattern) if place % every == 0 else "" for place, first in enumerate(days)]
