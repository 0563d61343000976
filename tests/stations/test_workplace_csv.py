"""Lines of a workplace charging file: exact values, or a named reason. Clocks that change are read on purpose."""

import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.errors import ImportFileError, ImportRowError
from stations.imports.formats.door import format_of, known
from stations.imports.formats.workplace import FORMAT
from stations.imports.reading.lasted import Lasted
from stations.imports.reading.opening import opened
from stations.imports.reading.row import Place, Reading, Row, Token, period
from stations.imports.reading.tables import LINE_MAX, Lines

HEADER = (
    "sessionId,kwhTotal,dollars,created,ended,startTime,endTime,chargeTimeHrs,weekday,platform,distance,userId,"
    "stationId,locationId,managerVehicle,facilityType,Mon,Tues,Wed,Thurs,Fri,Sat,Sun,reportedZip"
)
LINE = (
    "4228788,6.76,0.58,0014-11-21 12:05:46,0014-11-21 16:46:04,12,16,4.671666667,Fri,android,NA,35897499,129465,461655,"
    "0,3,0,0,0,0,1,0,0,0"
)
LATEST = datetime(2026, 11, 1)
NEW_YORK = ZoneInfo("America/New_York")


def read(line: str | bytes, header: str = HEADER) -> Row:
    content = header.encode() + b"\n" + (line if isinstance(line, bytes) else line.encode())
    table = opened(io.BytesIO(content), known)
    record = next(table.records())
    if record.error:
        raise record.error
    return FORMAT.reader(table.columns, Reading("YMD", ".", LATEST))(record.line, record.values)


def changed(**cells: str) -> str:
    """LINE with some cells replaced."""
    names, values = HEADER.split(","), LINE.split(",")
    for name, value in cells.items():
        values[names.index(name)] = value
    return ",".join(values)


def test_a_line_is_read_exactly() -> None:
    assert read(LINE + "\r\n") == Row(
        line=2,
        number="4228788",
        station="129465",
        place=Place("461655", "Workplace 461655 (research and development)", "USD"),
        started=datetime(2014, 11, 21, 12, 5, 46),
        stopped=datetime(2014, 11, 21, 16, 46, 4),
        energy_wh=6760,
        token=Token("35897499"),
        cost_minor=58,
        currency="USD",
        lasted=Lasted(float("4.671666667") * 3600, 2 + 1800 / 10**9, True, "chargeTimeHrs"),
    )


def test_columns_may_come_in_any_order_and_others_too() -> None:
    names, values = HEADER.split(","), LINE.split(",")
    header = "\ufeff" + ",".join([*reversed(names), "more"])
    assert read(",".join([*reversed(values), "x"]), header) == read(LINE)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"a,b,c\n", "3 columns: a, b, c"),
        (HEADER.replace("dollars", "euros").encode(), "it lacks dollars"),
        ((HEADER + ",created").encode(), "expected created once, it is there 2 times"),
        (b"\x1f\x8b\x08\x00gzip", "unpack it"),
        (b"x" * (LINE_MAX + 1), "bytes in a line"),
        (b'"sessionId', "comma-separated"),
    ],
)
def test_headers_of_other_files(header: bytes, reason: str) -> None:
    with pytest.raises(ImportFileError, match=reason):
        file = opened(io.BytesIO(header), known)
        format_of(file.columns, file.kind).reader(file.columns, Reading("YMD", ".", LATEST))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        *[
            (changed(kwhTotal=value), "kwhTotal: expected")
            for value in (
                "1e400",
                "NaN",
                "inf",
                "-1",
                "-0",
                "+1",
                "",
                " 1",
                "0x10",
                "1_0",
                "١",
                "=1+1",
                "9" * 400,
                "1.0001",
            )
        ],
        *[(changed(dollars=value), "dollars: expected") for value in ("-0.5", "1e3", "$1", "0.005", "NaN")],
        *[
            (changed(created=value), "created: expected")
            for value in (
                "2014-11-21",
                "0014-13-21 12:05:46",
                "0014-02-30 12:05:46",
                "0014-11-21T12:05:46",
                "14-11-21 12:05:46",
                "0014-11-21 24:05:46",
                "1914-11-21 12:05:46",
                "0000-13-01 00:00:00",
                "2099-01-01 00:00:00",
                "NA",
                "0014-11-21 12:05:46Z",
                "=NOW()",
            )
        ],
        (changed(ended="0099-11-21 12:05:46"), "ended: expected a time from 2000 until now"),
        *[
            (changed(sessionId=value), "sessionId: expected")
            for value in ("", "=cmd|'/c calc'!A1", "@x", "-1", "x" * 37, "a b", "é", "<b>", "../x")
        ],
        *[(changed(**{name: ""}), name) for name in ("userId", "stationId", "locationId")],
        (LINE[:40], "expected 24 cells, got 5"),
        (LINE + ",x", "expected 24 cells, got 25"),
        (changed(kwhTotal="1,5"), "expected 24 cells, got 25"),
        (LINE.replace("Fri", "Fr\0i"), "NUL"),
        (LINE.replace("Fri", '"Fri'), "comma-separated"),
        (LINE.replace("Fri", "x" * LINE_MAX), "bytes in a line"),
        (LINE.replace("Fri", "éé").encode() + b"\xe9", "UTF-8, got byte 0xe9"),
    ],
)
def test_lines_that_are_refused_say_why(line: str | bytes, reason: str) -> None:
    with pytest.raises(ImportRowError, match=reason) as refusal:
        read(line)
    assert len(str(refusal.value)) < 250 and str(refusal.value).isprintable()


def test_a_line_without_end_is_read_in_pieces() -> None:
    found = list(Lines(io.BytesIO(b"a" * 5_000_000 + b"\nnext\nlast"), "utf-8").after(0))
    assert len(found[0][1]) == LINE_MAX + 2
    assert found[1:] == [(2, "next"), (3, "last")]


@given(st.integers(0, 999_999_999_999), st.integers(0, 3))
def test_energy_is_exact(wh: int, zeros: int) -> None:
    text = f"{wh // 1000}.{wh % 1000:03d}" + "0" * zeros
    assert read(changed(kwhTotal=text)).energy_wh == wh


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_row_or_a_reason(line: bytes) -> None:
    try:
        read(line)
    except ImportRowError as error:
        assert str(error)
    except StopIteration:
        pass  # nothing but blanks and separators is no row


@given(st.sampled_from(HEADER.split(",")), st.text(max_size=60))
def test_any_cell_is_a_value_or_a_reason(name: str, value: str) -> None:
    try:
        row = read(changed(**{name: value}))
    except ImportRowError as error:
        assert str(error)
    else:
        assert row.energy_wh is not None and row.cost_minor is not None
        assert row.energy_wh >= 0 and row.cost_minor >= 0 and row.started.year >= 2000


# --- Clocks that change: New York, 2 November 2014 (01:00-02:00 twice) and 8 March 2015 (02:00-03:00 left out)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("created", "ended", "hours", "started_at", "stopped_at", "ambiguous"),
    [
        ("0014-11-21 12:05:46", "0014-11-21 16:46:04", "4.67", "2014-11-21T17:05:46", "2014-11-21T21:46:04", False),
        ("0015-07-01 12:00:00", "0015-07-01 13:00:00", "1", "2015-07-01T16:00:00", "2015-07-01T17:00:00", False),
        # across the hour that comes twice, both ends clear
        ("0014-11-02 00:30:00", "0014-11-02 03:30:00", "4", "2014-11-02T04:30:00", "2014-11-02T08:30:00", False),
        # the end lies in it: chargeTimeHrs decides
        ("0014-11-02 00:30:00", "0014-11-02 01:30:00", "1", "2014-11-02T04:30:00", "2014-11-02T05:30:00", False),
        ("0014-11-02 00:30:00", "0014-11-02 01:30:00", "2", "2014-11-02T04:30:00", "2014-11-02T06:30:00", False),
        ("0014-11-02 00:30:00", "0014-11-02 01:30:00", "NA", "2014-11-02T04:30:00", "2014-11-02T05:30:00", True),
        ("0014-11-02 00:30:00", "0014-11-02 01:30:00", "7", "2014-11-02T04:30:00", "2014-11-02T05:30:00", True),
        # the clock went back while it charged
        (
            "0014-11-02 01:50:00",
            "0014-11-02 01:10:00",
            "0.333333333",
            "2014-11-02T05:50:00",
            "2014-11-02T06:10:00",
            False,
        ),
        # both in it, and the first hour is as good as the second
        (
            "0014-11-02 01:10:00",
            "0014-11-02 01:20:00",
            "0.166666667",
            "2014-11-02T05:10:00",
            "2014-11-02T05:20:00",
            True,
        ),
        (
            "0014-11-02 01:10:00",
            "0014-11-02 01:20:00",
            "1.166666667",
            "2014-11-02T05:10:00",
            "2014-11-02T06:20:00",
            False,
        ),
        # a start in the hour left out: a clock that was late to change, or one that was early
        ("0015-03-08 02:30:00", "0015-03-08 04:00:00", "0.5", "2015-03-08T07:30:00", "2015-03-08T08:00:00", False),
        ("0015-03-08 02:30:00", "0015-03-08 04:00:00", "1.5", "2015-03-08T06:30:00", "2015-03-08T08:00:00", False),
        # across it
        ("0015-03-08 01:30:00", "0015-03-08 03:30:00", "1", "2015-03-08T06:30:00", "2015-03-08T07:30:00", False),
    ],
)
def test_local_times(created: str, ended: str, hours: str, started_at: str, stopped_at: str, ambiguous: bool) -> None:
    found = period(read(changed(created=created, ended=ended, chargeTimeHrs=hours)), NEW_YORK)
    assert (found.started_at, found.stopped_at, found.ambiguous) == (utc(started_at), utc(stopped_at), ambiguous)


def test_an_end_before_the_start() -> None:
    with pytest.raises(ImportRowError, match="ended at or after created"):
        period(read(changed(ended="0014-11-21 12:05:45")), NEW_YORK)


@given(st.datetimes(datetime(2000, 1, 2), datetime(2026, 1, 1)), st.integers(0, 300_000))
def test_a_true_duration_always_finds_its_instants(instant: datetime, seconds: int) -> None:
    begin = instant.replace(microsecond=0, tzinfo=UTC)
    end = datetime.fromtimestamp(begin.timestamp() + seconds, UTC)
    local = [moment.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M:%S") for moment in (begin, end)]
    found = period(read(changed(created=local[0], ended=local[1], chargeTimeHrs=f"{seconds / 3600:.9f}")), NEW_YORK)
    if not found.ambiguous:
        assert (found.started_at, found.stopped_at) == (begin, end)
    assert (found.stopped_at - found.started_at).total_seconds() == seconds
