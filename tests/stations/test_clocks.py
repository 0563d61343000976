"""Times as stations write them, and which of them can be true."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stations.charging.clocks import is_plausible, moment_of, offset_in_charge, offset_of, said_read

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-30T12:00:00Z",
        "2026-11-30t12:00:00.000z",
        " 2026-11-30 12:00:00Z ",
        "2026-11-30T13:00:00+01:00",
        "2026-11-30T12:00:00.000000000Z",
        "2026-11-30T12:00:00,000Z",
        "2026-11-30T13:00:00",
        "2026-11-30T13:00",
    ],
)
def test_one_time_in_many_forms(text: str) -> None:
    said = said_read(text, BERLIN, NOW + MINUTE)
    assert (said.at, said.unknown) == (NOW, False)
    assert said.zone_assumed == (text[11:13] == "13" and "+" not in text)


def test_a_leap_second_is_the_one_before() -> None:
    assert said_read("2026-11-30T11:59:60Z", BERLIN, NOW).at == NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-11-30", "20261130T120000Z", "2026-02-30T00:00:00Z", "2026-11-30T25:00:00Z", "12:00:00"),
        *("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1900-01-01T00:00:00+14:00"),
        *(None, 1_796_040_000, {"a": 1}),
    ],
)
def test_what_is_no_time_is_when_it_was_heard(text: object) -> None:
    said = said_read(text, BERLIN, NOW)
    assert (said.at, said.unknown) == (NOW, True)
    assert moment_of(said, NOW).wrong


def test_an_hour_that_repeats_is_the_half_before_the_message() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    for received, at, also in ((first, first, first + HOUR), (first + HOUR, first + HOUR, first)):
        said = said_read("2026-10-25T02:30:00", BERLIN, received)
        assert (said.at, said.also, set(said.readings)) == (at, also, {first, first + HOUR})


def test_an_hour_that_does_not_exist_is_read_by_the_old_offset() -> None:
    said = said_read("2026-03-29T02:30:00", BERLIN, NOW)
    assert (said.at, said.also) == (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), None)


@pytest.mark.parametrize(
    ("off", "connected", "plausible"),
    [
        (timedelta(0), None, True),
        (4 * MINUTE, None, True),
        (6 * MINUTE, None, False),
        (-30 * 24 * HOUR, None, True),
        (-367 * 24 * HOUR, None, False),
        (-2 * HOUR, -HOUR, True),  # it was not there then
        (-2 * HOUR, -9 * HOUR, False),
        (-MINUTE * 50, -9 * HOUR, True),
    ],
    ids=str,
)
def test_what_can_be_true(off: timedelta, connected: timedelta | None, plausible: bool) -> None:
    assert is_plausible(NOW + off, NOW, NOW + connected if connected else None) == plausible


def test_the_offset_can_be_taken_off_again_exactly() -> None:
    said = datetime(2026, 11, 30, 9, 0, 0, 250_000, tzinfo=UTC)
    moved = said + offset_of(said, NOW)
    assert NOW - timedelta(seconds=1) < moved <= NOW and moved - offset_of(said, NOW) == said


@pytest.mark.parametrize(
    ("said", "received", "known", "added"),
    [
        (NOW, NOW, None, timedelta(0)),
        (NOW - 2 * HOUR, NOW, 2 * HOUR, 2 * HOUR),
        (NOW, NOW, 2 * HOUR, timedelta(0)),  # it was set right
        (NOW + 2 * HOUR, NOW, -2 * HOUR, -2 * HOUR),
        (NOW - 2 * HOUR, NOW, None, None),  # before the charge began
        (NOW + 2 * HOUR, NOW, None, None),
        (NOW, NOW + 24 * HOUR, None, timedelta(0)),  # from a queue
    ],
    ids=str,
)
def test_what_is_added_in_a_charge(
    said: datetime, received: datetime, known: timedelta | None, added: timedelta | None
) -> None:
    found = offset_in_charge(said, received_at=received, started_at=NOW - HOUR, known=known, connected_at=None)
    assert found == added
