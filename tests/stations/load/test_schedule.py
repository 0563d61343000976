"""The schedule of a limit, by the site's clock: nights in which clocks change, periods over midnight, other zones."""

import os
import time as process_time
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.load.schedule import Period, Schedule, overlapping

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
EVERY_DAY = frozenset(range(1, 8))
NIGHT = Period(EVERY_DAY, time(22), time(6), 63)
ZONES = st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")])


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/New_York"], autouse=True)
def process_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The machine's own zone is nobody's business."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    process_time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.__setitem__("TZ", before)
    process_time.tzset()


def steps(schedule: Schedule, day: date) -> list[tuple[str, int]]:
    return [(f"{at:%d %H:%M}", amperes) for at, amperes in schedule.steps(*schedule.day(day))]


@pytest.mark.parametrize(("zone", "offset_h"), [(BERLIN, 1), (NEW_YORK, -5)])
def test_a_night_over_midnight_in_winter(zone: ZoneInfo, offset_h: int) -> None:
    schedule = Schedule(32, zone, (NIGHT,))
    midnight = datetime(2026, 1, 14, tzinfo=UTC) - timedelta(hours=offset_h)
    hours = [(schedule.at(midnight + timedelta(hours=hour))) for hour in range(24)]
    assert hours == [63] * 6 + [32] * 16 + [63] * 2
    assert list(schedule.steps(midnight, midnight + timedelta(days=1))) == [
        (midnight, 63),
        (midnight + timedelta(hours=6), 32),
        (midnight + timedelta(hours=22), 63),
    ]


def test_the_night_in_which_an_hour_is_missing() -> None:
    schedule = Schedule(32, BERLIN, (Period(EVERY_DAY, time(2, 30), time(4), 10),))
    assert steps(schedule, date(2026, 3, 29)) == [("28 23:00", 32), ("29 01:00", 10), ("29 02:00", 32)]
    begin, end = schedule.day(date(2026, 3, 29))
    assert end - begin == timedelta(hours=23)


def test_the_night_in_which_an_hour_comes_twice() -> None:
    schedule = Schedule(32, BERLIN, (Period(EVERY_DAY, time(2), time(3), 10),))
    assert steps(schedule, date(2026, 10, 25)) == [("24 22:00", 32), ("25 00:00", 10), ("25 02:00", 32)]
    begin, end = schedule.day(date(2026, 10, 25))
    assert end - begin == timedelta(hours=25)


def test_the_same_in_new_york() -> None:
    schedule = Schedule(48, NEW_YORK, (Period(EVERY_DAY, time(1), time(4), 12),))
    assert steps(schedule, date(2026, 3, 8)) == [("08 05:00", 48), ("08 06:00", 12), ("08 08:00", 48)]
    assert steps(schedule, date(2026, 11, 1)) == [("01 04:00", 48), ("01 05:00", 12), ("01 09:00", 48)]


def test_weekdays_are_those_on_which_a_period_begins() -> None:
    friday_night = Schedule(32, BERLIN, (Period(frozenset({5}), time(22), time(6), 63),))
    assert friday_night.at(datetime(2026, 1, 17, 4, 59, tzinfo=UTC)) == 63  # Saturday, 05:59
    assert friday_night.at(datetime(2026, 1, 17, 5, 0, tzinfo=UTC)) == 32
    assert friday_night.at(datetime(2026, 1, 17, 22, 0, tzinfo=UTC)) == 32  # Saturday, 23:00
    sunday_night = Schedule(32, BERLIN, (Period(frozenset({7}), time(22), time(6), 63),))
    assert sunday_night.at(datetime(2026, 1, 19, 4, 0, tzinfo=UTC)) == 63  # Monday, 05:00: over the week's end


def test_the_same_start_and_end_is_a_whole_day() -> None:
    monday = Schedule(32, BERLIN, (Period(frozenset({1}), time(0), time(0), 16),))
    assert steps(monday, date(2026, 1, 12)) == [("11 23:00", 16)]
    assert steps(monday, date(2026, 1, 13)) == [("12 23:00", 32)]


@given(ZONES, st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)), st.integers(1, 3000))
def test_steps_tell_the_limit_at_each_minute(zone: ZoneInfo, naive: datetime, minutes: int) -> None:
    schedule = Schedule(32, zone, (NIGHT, Period(frozenset({1, 3}), time(11, 15), time(12), 0)))
    start = naive.replace(tzinfo=UTC)
    end = start + timedelta(minutes=minutes)
    found = list(schedule.steps(start, end))
    assert found[0][0] == start and all(earlier < later for (earlier, _), (later, _) in pairwise(found))
    for minute in range(0, minutes, 7):
        moment = start + timedelta(minutes=minute)
        assert [amperes for at, amperes in found if at <= moment][-1] == schedule.at(moment)
    assert schedule.least(start, end) == min(amperes for _, amperes in found) >= schedule.lowest


def test_overlaps_are_found_over_midnight_and_over_the_week() -> None:
    early = Period(EVERY_DAY, time(5), time(7), 16)
    assert overlapping([NIGHT, early]) == (0, 1)
    assert overlapping([NIGHT, Period(EVERY_DAY, time(6), time(22), 16)]) is None
    sunday, monday = (
        Period(frozenset({7}), time(23), time(1), 16),
        Period(frozenset({1}), time(0, 30), time(2), 16),
    )
    assert overlapping([sunday, monday]) == (0, 1)
