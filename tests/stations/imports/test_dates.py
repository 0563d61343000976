"""Day or month first: told by all rows of a file, refused with the two rows that show it changes, never guessed."""

import io
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from stations.errors import ImportFileError, ImportRowError
from stations.imports.plan import Options, planned
from stations.imports.reading.row import duration_check, period
from tests.stations.imports.test_reading import rows_of
from tests.stations.test_imports_admin import HEADER, row

DUNDEE = "SDR ID,Site,CP ID,Consum(kWh),Start,End"


def workplace(*days: str) -> bytes:
    """A session at eight on each of these days."""
    rows = (row(at, created=f"{day} 8:00", ended=f"{day} 9:30") for at, day in enumerate(days))
    if "-" in days[0]:
        rows = (row(at, created=f"{day} 08:00:00", ended=f"{day} 09:30:00") for at, day in enumerate(days))
    return "\n".join([HEADER, *rows]).encode()


def dundee(*days: str) -> bytes:
    return "\n".join([DUNDEE, *(f"{at},P,5,1.5,{day} 08:00,{day} 09:00" for at, day in enumerate(days))]).encode()


def days_of(content: bytes, **options: str) -> list[tuple[int, int, int]]:
    return [(one.started.year, one.started.month, one.started.day) for one in rows_of(content, **options)]


def test_a_row_that_can_be_read_in_one_way_decides_all() -> None:
    assert days_of(workplace("3/12/2015", "3/13/2015")) == [(2015, 3, 12), (2015, 3, 13)]
    assert days_of(workplace("12/3/2015", "13/3/2015")) == [(2015, 3, 12), (2015, 3, 13)]
    assert days_of(workplace("12.3.2015", "9.4.15")) == [(2015, 3, 12), (2015, 4, 9)]  # with points it is the day
    assert days_of(dundee("10/03/2022", "11/03/2022")) == [(2022, 3, 10), (2022, 3, 11)]  # as Dundee is known to write


def test_what_no_row_decides_is_asked_for() -> None:
    with pytest.raises(ImportFileError, match=r"3/10/2015 8:00 in line 2 can be day or month first.*--dates DMY"):
        days_of(workplace("3/10/2015", "3/11/2015"))
    assert days_of(workplace("3/10/2015"), dates="MDY") == [(2015, 3, 10)]
    assert days_of(workplace("3/10/2015"), dates="DMY") == [(2015, 10, 3)]


SWAPPED = [
    workplace("10/3/2015", "11/3/2015", "12/3/2015", "3/13/2015", "3/14/2015"),
    workplace("2015-10-03", "2015-11-03", "2015-12-03", "2015-03-13", "2015-03-14"),
    workplace("2015-03-14", "2015-03-13", "2015-12-03", "2015-11-03", "2015-10-03"),
    workplace("3/10/2015", "3/11/2015", "3/12/2015", "13/3/2015", "14/3/2015"),
    workplace("2015-12-03", "13/3/2015"),
    dundee("10/03/2022", "11/03/2022", "12/03/2022", "03/13/2022"),
]


@pytest.mark.parametrize("content", SWAPPED)
def test_dates_that_change_their_form_are_refused_with_two_rows(content: bytes) -> None:
    with pytest.raises(ImportFileError) as refusal:
        planned(io.BytesIO(content), Options())
    words = str(refusal.value)
    assert "the dates change their form: line " in words and words.count("line ") >= 2 and "Export the file" in words


def test_the_two_rows_are_those_where_it_turns() -> None:
    with pytest.raises(ImportFileError, match="line 4 has 12/3/2015 8:00, line 5 has 3/13/2015 8:00"):
        planned(io.BytesIO(SWAPPED[0]), Options())


def test_who_knows_better_says_so() -> None:
    content = workplace("2015-10-03", "2015-11-03", "2015-12-03", "2015-03-13", "2015-03-14")
    assert len(days_of(content, dates="YMD")) == 5


@pytest.mark.parametrize(
    "days",
    [
        ("2015-01-01", "2015-05-05", "2015-12-31"),
        ("2015-10-03", "2015-03-13"),
        ("2015-03-20", "2015-01-05", "2015-11-02", "2015-02-28", "2015-06-07"),  # no order at all
        ("2015-02-12", "2015-03-01", "2015-03-02", "2015-03-15"),
    ],
)
def test_files_that_are_well_are_let_in(days: tuple[str, ...]) -> None:
    assert [f"{y}-{m:02}-{d:02}" for y, m, d in days_of(workplace(*days))] == list(days)


def test_times_of_the_afternoon() -> None:
    content = "\n".join(
        [HEADER, row(1, created="3/13/2015 12:05:00 AM", ended="3/13/2015 1:35 pm", chargeTimeHrs="NA")]
    )
    (found,) = rows_of(content.encode())
    assert (found.started, found.stopped) == (datetime(2015, 3, 13, 0, 5), datetime(2015, 3, 13, 13, 35))


def test_dates_are_checked_against_the_duration_beside_them() -> None:
    content = "\n".join([HEADER, row(1, created="2015-03-10 08:00:00", ended="2015-10-03 09:30:00")])
    (found,) = rows_of(content.encode())
    with pytest.raises(ImportRowError, match="chargeTimeHrs: expected 1:30:00 between start and stop"):
        duration_check(found, period(found, ZoneInfo("UTC")))
