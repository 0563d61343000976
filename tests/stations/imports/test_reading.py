"""What a file can be before its format is asked: encodings, separators, quotes, line ends, workbooks, broken JSON."""

import io
import json
import zipfile
from datetime import datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from stations.errors import ImportFileError, ImportRowError
from stations.imports.formats.door import known
from stations.imports.plan import Options, planned
from stations.imports.reading import documents, sheets
from stations.imports.reading.opening import opened
from stations.imports.reading.row import Row
from tests.stations.test_imports_admin import HEADER, row

ROWS = [HEADER, row(1), row(2)]


def rows_of(content: bytes, **options: Any) -> list[Row]:
    plan = planned(io.BytesIO(content), Options(**options))
    found = []
    for record in plan.records():
        if record.error:
            raise record.error
        found.append(plan.read(record.line, record.values))
    return found


def numbers(content: bytes) -> list[str]:
    return [one.number for one in rows_of(content)]


def separated(by: str) -> str:
    """As Excel writes it where cells are separated so."""
    lines = [line.replace(",", by) for line in ROWS]
    return "\r\n".join(lines if by == "," else [line.replace("7.78", "7,78").replace("0.58", "0,58") for line in lines])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("by", [",", ";", "\t", "|"])
def test_every_encoding_with_every_separator(by: str, encoding: str) -> None:
    found = rows_of((separated(by) + f"{by}{by}\r\n").encode(encoding))
    assert [one.number for one in found] == ["1000001", "1000002"]
    assert {(one.energy_wh, one.cost_minor) for one in found} == {(7780, 58)}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_lines_of_nothing(end: str) -> None:
    content = end.join(["", *ROWS[:2], "", ",,,,,,,,,", ROWS[2], " ", ""])
    assert numbers(content.encode()) == ["1000001", "1000002"]


def test_what_excel_puts_before_the_header() -> None:
    assert numbers(f"sep=;\n{separated(';')}".encode()) == ["1000001", "1000002"]


def test_letters_of_windows_are_read() -> None:
    """A file is UTF-8 where most of what is beyond ASCII is; else it is what Windows writes."""
    header, line = (
        "SDR ID,Site,CP ID,Consum(kWh),Start,End\n",
        "1,Zürich Straße,5,1.5,13/03/2022 08:00,13/03/2022 09:00\n",
    )
    for encoding in ("cp1252", "utf-8", "utf-16"):
        assert rows_of((header + line).encode(encoding))[0].place.name == "Zürich Straße"


def test_quoted_line_breaks_and_a_quote_that_is_never_closed() -> None:
    broken = row(1).replace("1000001", '"1000001\n\n"')  # no number, but one row
    lines = f'{HEADER},note\n{row(1)},"two\nlines, and ""quotes"""\n{row(2)},"never closed\n{row(3)},"x"\n{row(4)},\n'
    plan = planned(io.BytesIO(lines.encode()), Options())
    found = [(record.line, record.error is None) for record in plan.records()]
    assert found == [(2, True), (4, False), (5, True), (6, True)]
    with pytest.raises(ImportRowError, match="sessionId"):
        rows_of(f"{HEADER}\n{broken}\n".encode())


def test_thousands_and_decimals_of_a_german_table() -> None:
    assert [one.energy_wh for one in rows_of(table("1.463,8", "12.340", "7,5"))] == [1_463_800, 12_340_000, 7_500]


def table(*energies: str, by: str = ";") -> bytes:
    """A session with each of these energies; no other number of it has decimals."""
    lines = (row(1, kwhTotal="E", dollars=1).replace(",", by).replace("E", energy) for energy in energies)
    return "\n".join([HEADER.replace(",", by), *lines]).encode()


def test_numbers_that_leave_it_open_or_change() -> None:
    with pytest.raises(ImportFileError, match="thousands or decimals"):
        rows_of(table('"1,463"', by=","))
    with pytest.raises(ImportFileError, match=r"line 2 has 7,5, line 3 has 7\.5"):
        rows_of(table("7,5", "7.5"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel workbook"),
        (b"PK\x03\x04nothing", "save it anew"),
        (b"%PDF-1.7", "got a PDF"),
        (b"<!DOCTYPE html><html>", "login page"),
        ("\ufeff<html>".encode("utf-16"), "login page"),
        (b"Company;Amount\nA;1\n", "is CSV (;), UTF-8, with 2 columns: Company, Amount"),
        ("a\tb\n1\t2\n".encode("utf-16"), "is CSV (tab), UTF-16, with 2 columns: a, b"),
        (b'{"a": 1}', "is JSON, UTF-8, with 1 columns: a"),
        (b"[]", "holds no record"),
        (b"[1, 2]", "with 0 columns"),
        (b'[{"id": 1', "breaks at character 2: expected a value"),
        (b'{"id": ', "expected a value, got the end of the file"),
        (b'[{"id": NaN}]', "breaks at character"),
        (b"[" * 100_000, "breaks at character"),
        (b'{"a":' * 50_000, "breaks at character"),
    ],
)
def test_other_files_are_told_what_they_are(content: bytes, words: str) -> None:
    with pytest.raises(ImportFileError) as refusal:
        rows_of(content)
    assert words in str(refusal.value)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_rows_or_a_refusal(content: bytes) -> None:
    try:
        rows_of(content)
    except ImportFileError as error:
        assert str(error)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_json_is_rows_or_a_refusal(content: Any) -> None:
    cdr = {"id": content, "start_date_time": content, "end_date_time": "2026-03-10T09:30:00Z", "currency": content}
    try:
        rows_of(json.dumps([cdr | {"total_energy": content, "cdr_token": content, "cdr_location": content}]).encode())
    except ImportFileError as error:
        assert str(error)


def test_json_is_read_a_record_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CHUNK", 7)  # every value is cut somewhere
    records = [{"id": number, "text": "x" * number, "more": [1.5, {"a": None}]} for number in range(40)]
    for wrapped in (records, {"status": 1, "data": records, "end": True}):
        file = opened(io.BytesIO(json.dumps(wrapped, indent=1).encode()), known)
        assert [record.values["id"] for record in file.records()] == list(range(40))


# --- workbooks


def workbook(*lines: list[Any], title: str = "Sheet", before: int = 0) -> bytes:
    book = Workbook()
    if before:
        book.create_sheet("Notes", 0).append(["Only words here"])
    sheet = book.worksheets[-1]
    sheet.title = title
    for line in lines:
        sheet.append(line)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_a_workbook_with_dates_in_cells() -> None:
    day = datetime(2015, 3, 10, 8, 0)
    line = [990_001, 5.25, 0.1 + 0.2, day, day.replace(hour=10), 2, 9901, 8801, 7701, 2]
    found = rows_of(workbook(HEADER.split(","), [], line, [None] * 10, title="Sessions", before=1))
    assert [(one.line, one.number, one.energy_wh, one.cost_minor, one.started) for one in found] == [
        (3, "990001", 5250, 30, day)
    ]


def test_a_workbook_with_durations_and_dates_as_words() -> None:
    head = ["SDR ID", "Site", "CP ID", "Consum(kWh)", "Duration", "Start", "End"]
    line = [1, "Car park", 5, 1.5, time(0, 30), "13/03/2022 08:00", "13/03/2022 09:00"]
    (found,) = rows_of(workbook(head, line))
    assert found.lasted is not None and found.lasted.seconds == 1800
    day = datetime(2022, 12, 3, 8, 0)
    with pytest.raises(ImportFileError, match="line 2 has 2022-12-03 08:00:00, line 3 has 13/03/2022"):
        rows_of(workbook(head, [*line[:5], day, day.replace(hour=9)], line))


def test_bombs_are_not_unpacked() -> None:
    bomb = io.BytesIO(workbook(HEADER.split(",")))
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros.bin", b"\0" * (sheets.UNPACKED_MAX + 1))
    with pytest.raises(ImportFileError, match="too large once unpacked"):
        rows_of(bomb.getvalue())
    entities = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(HEADER.split(",")))) as good, zipfile.ZipFile(entities, "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            bad.writestr(name, b'<!DOCTYPE x [<!ENTITY a "b">]>' + content if "sheet1" in name else content)
    with pytest.raises(ImportFileError, match="DOCTYPE"):
        rows_of(entities.getvalue())
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(ImportFileError, match="no Excel workbook"):
        rows_of(other.getvalue())


@pytest.mark.parametrize("cut", [100, 1000, 3000])
def test_a_workbook_that_is_cut(cut: int) -> None:
    with pytest.raises(ImportFileError, match="save it anew"):
        rows_of(workbook(HEADER.split(","), [1])[:-cut])
