"""Figures and dates in English and German; charts and curves as numbers."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation
from django.utils.formats import number_format

from common.chart import HEIGHT, line_of, nice, plot_of
from stations.charging.power import POWER, REGISTER, Curve, curve_of, mean_w, progress_of
from stations.charging.words import (
    also_text,
    date_text,
    day,
    kw,
    kwh,
    minute_text,
    moment_text,
    money,
    number,
    plain,
    spelled,
    tick_texts,
)
from stations.models import ChargingSession, MeterValue
from stations.zones import zone_named

NOON = datetime(2014, 11, 18, 20, 40, 26, tzinfo=UTC)
NEW_YORK, BERLIN = zone_named("America/New_York"), zone_named("Europe/Berlin")


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            ["7.78", "1,234.56 EUR", "-1.25 USD", "1,235 JPY", "0.1", "1,234,567", "18 Nov 2014", "Tue 18 Nov 2014"],
        ),
        (
            "de",
            ["7,78", "1.234,56 EUR", "-1,25 USD", "1.235 JPY", "0,1", "1.234.567", "18. Nov. 2014", "Di 18. Nov. 2014"],
        ),
    ],
)
def test_figures_in_two_languages(language: str, expected: list[str]) -> None:
    with translation.override(language):
        amounts = [money(123_456, "EUR"), money(-125, "USD"), money(1_235, "JPY")]
        found = [kwh(7_780), *amounts, kw(50), number(1_234_567), date_text(NOON), day(NOON)]
        assert found == expected
        assert kwh(None) == money(None, "") == kw(None) == "–"


def test_exact_values_and_times_in_two_languages() -> None:
    assert moment_text(NOON, NEW_YORK) == "18 Nov 2014, 15:40:26 EST"
    assert plain(Decimal("7780.5000")) == "7,780.5"
    assert minute_text(NOON, NEW_YORK) == "18 Nov 2014, 15:40 EST"
    assert minute_text(None, NEW_YORK) == ""
    late = NOON + timedelta(hours=4)
    assert (date_text(late), date_text(late, BERLIN)) == ("19 Nov 2014", "19 Nov 2014")
    assert (date_text(late), date_text(late, NEW_YORK)) == ("19 Nov 2014", "18 Nov 2014")
    assert plain(Decimal("1E+3")) == "1,000"
    assert spelled(timedelta(minutes=91)) == "1 h 31 min"
    with translation.override("de"):
        assert moment_text(NOON, NEW_YORK) == "18. Nov. 2014, 15:40:26 EST"
        assert minute_text(NOON, BERLIN) == "18. Nov. 2014, 21:40 CET"
        assert plain(Decimal("7780.5000")) == "7.780,5"
        assert date_text(date(2015, 3, 1)) == "1. März 2015"


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (timedelta(hours=4), ["15:40", "16:40", "17:40", "18:40", "19:40"]),
        (timedelta(seconds=240), ["15:40:26", "15:41:26", "15:42:26", "15:43:26", "15:44:26"]),
        (timedelta(seconds=22), ["15:40:26", "15:40:31", "15:40:37", "15:40:42", "15:40:48"]),
        (timedelta(seconds=2), ["15:40:26", "", "15:40:27", "", "15:40:28"]),
        (timedelta(0), ["15:40:26", "", "", "", ""]),
        (timedelta(hours=40), ["Tue 15:40", "Wed 01:40", "Wed 11:40", "Wed 21:40", "Thu 07:40"]),
        (timedelta(days=8), ["18 Nov", "20 Nov", "22 Nov", "24 Nov", "26 Nov"]),
    ],
)
def test_ticks_of_an_axis_are_never_the_same_twice(span: timedelta, expected: list[str]) -> None:
    assert tick_texts([NOON + span * quarter / 4 for quarter in range(5)], NEW_YORK) == expected


def test_the_readers_own_clock_is_named_where_it_differs() -> None:
    assert also_text(NOON, NEW_YORK, BERLIN) == "21:40:26 CET"
    assert also_text(NOON, BERLIN, zone_named("Europe/Zurich")) == ""
    assert also_text(NOON + timedelta(hours=3), NEW_YORK, BERLIN) == "19 Nov 2014, 00:40:26 CET"
    assert also_text(None, NEW_YORK, BERLIN) == ""


# --- Charts


@pytest.mark.parametrize("value", [1, 2, 7, 9, 11, 41, 99, 101, 7_780, 11_000, 10**15])
def test_an_edge_is_round_and_not_far(value: int) -> None:
    assert value <= nice(value) <= 2 * value
    assert nice(-value) == nice(0) == 0


def test_bars_of_nothing_of_much_and_of_less_than_nothing() -> None:
    assert plot_of([]).path == plot_of([0, 0]).path == ""
    tiny = plot_of([1, 1_000_000])
    assert f"v-{HEIGHT // 100}h" in tiny.path  # what is not nothing is seen
    both = plot_of([50, -50])
    assert (both.top, both.bottom, both.zero) == (50, -50, HEIGHT // 2)
    assert line_of([]).path == ""


# --- Power


def session(**fields: object) -> ChargingSession:
    stored: dict[str, object] = {"started_at": NOON, "stopped_at": NOON + timedelta(hours=1), "meter_start_wh": 1_000}
    return ChargingSession(**(stored | {"meter_stop_wh": 8_000, "energy_wh": 7_000} | fields))


def value(minutes: float, amount: object, measurand: str = POWER, unit: str = "W", phase: str = "") -> MeterValue:
    at = NOON + timedelta(minutes=minutes)
    return MeterValue(sampled_at=at, measurand=measurand, value=Decimal(str(amount)), unit=unit, phase=phase)


def powers(curve: Curve | None) -> list[int]:
    return [point.power_w for point in curve.points] if curve else []


def test_power_is_taken_as_reported() -> None:
    curve = curve_of(session(), [value(1, 7_400), value(5, "7.36", unit="kW"), value(2, 3, "Voltage", "V")])
    assert powers(curve) == [7_400, 7_360]
    assert curve and not curve.derived
    assert curve.line.path == "0,75 1000,80"


def test_phases_are_added_where_the_station_gives_no_total() -> None:
    phases = [value(1, 2_000, phase=name) for name in ("L1", "L2", "L3", "N")]
    assert powers(curve_of(session(), [*phases, value(2, 7_000), value(2, 2_300, phase="L1")])) == [6_000, 7_000]


def test_without_power_it_follows_from_the_register() -> None:
    curve = curve_of(session(), [value(30, "4.5", REGISTER, "kWh")])
    assert curve and curve.derived
    assert powers(curve) == [7_000, 7_000]
    assert curve.line.path.count(",") == 4  # two steps


def test_no_curve_where_nothing_or_nonsense_was_reported() -> None:
    assert curve_of(session(), []) is None
    assert curve_of(session(), [value(30, 900, REGISTER, "Wh")]) is None  # below the start: says nothing
    assert curve_of(session(), [value(-5, 7_000), value(90, 7_000)]) is None  # before the start, after the end
    huge = curve_of(session(meter_stop_wh=None), [value(1, 99_999_999_999_999, REGISTER, "Wh")])
    assert len(powers(huge)) < 2


def test_many_samples_are_merged_and_the_mean_stays() -> None:
    curve = curve_of(session(), [value(number / 100, 1_000 + number) for number in range(1_000)])
    assert curve and curve.merged == 5
    assert len(curve.points) == 200
    assert curve.points[0].power_w == 1_002


def test_mean_power_and_progress() -> None:
    assert mean_w(session()) == 7_000
    assert mean_w(session(stopped_at=NOON)) is None
    going = session(stopped_at=None, meter_stop_wh=None, energy_wh=None)
    progress = progress_of(going, [value(10, 2_000, REGISTER, "Wh"), value(20, 3_500, REGISTER, "Wh")])
    assert (progress.energy_wh, progress.power_w) == (2_500, 9_000)


@pytest.mark.parametrize("language", ["en", "de"])
def test_numbers_are_written_as_django_writes_them(language: str) -> None:
    values: list[Decimal | int] = [0, 7, -7, 999, 1000, -1_234_567, 10**12]
    values += [Decimal("0.5"), Decimal("-1234.56"), Decimal("98765432.100")]
    with translation.override(language):
        for value in values:
            assert number(value) == str(number_format(value, force_grouping=True))
            assert number(value, 3) == str(number_format(value, 3, force_grouping=True))
