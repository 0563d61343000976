"""XLSX workbooks, by openpyxl, which this module alone imports. Read row by row, and not before its size is known."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any, BinaryIO

from django.utils.translation import gettext

from stations.errors import ImportFileError, ImportRowError
from stations.imports.reading.row import Record

PARTS_MAX = 1_000
UNPACKED_MAX = 256 * 1024 * 1024
STRINGS_MAX = 16 * 1024 * 1024  # openpyxl holds these in memory
COLUMNS_MAX = 300
SHEETS_MAX = 20
HEADER_WITHIN = 20  # rows


class Sheet:
    """The first sheet whose header is known, else the first that has one. Dates and numbers are read from cells."""

    marks_of_its_own = True
    comma_likely = False
    encoding = "xlsx"

    def __init__(self, raw: BinaryIO, known: Callable[[Sequence[str]], bool]) -> None:
        guard(raw)
        self._raw = raw
        headers = []
        with _Book(raw) as book:
            for name in book.sheetnames[:SHEETS_MAX]:
                for number, cells in islice(_rows(book[name]), HEADER_WITHIN):
                    if any(cells):
                        headers.append((name, number, cells))
                        break
        if not headers:
            raise ImportFileError(gettext("expected a header row, the workbook is empty"))
        self._sheet, self.header_line, cells = next((one for one in headers if known(one[2])), headers[0])
        while cells and not cells[-1]:
            cells.pop()
        self.columns = cells
        self.kind = f"XLSX, {self._sheet}"

    def records(self) -> Iterator[Record]:
        """What follows the header row; empty rows do not count."""
        width = len(self.columns)
        with _Book(self._raw) as book:
            for number, cells in _rows(book[self._sheet]):
                if number <= self.header_line or not any(cells):
                    continue
                if any(cells[width:]):
                    yield Record(number, None, ImportRowError(f"{width} cells", f"{len(cells)}"))
                else:
                    yield Record(number, (cells + [""] * width)[:width])


class _Book:
    """The workbook, opened to be read once; whatever openpyxl stumbles over is a refusal."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def __enter__(self) -> Any:
        from openpyxl import load_workbook  # here: it takes a third of a second that other commands need not wait

        self._raw.seek(0)
        try:
            self._book = load_workbook(self._raw, read_only=True, data_only=True, keep_links=False)
        except MemoryError:
            raise
        except Exception as error:
            raise _unreadable(error) from error
        return self._book

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None and not isinstance(error, (ImportFileError, MemoryError)) and isinstance(error, Exception):
            raise _unreadable(error) from error


def _unreadable(error: Exception) -> ImportFileError:
    words = gettext("this Excel workbook cannot be read (%(error)s): open it and save it anew as XLSX or CSV")
    return ImportFileError(words % {"error": f"{type(error).__name__}: {error}"[:100]})


def _rows(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    if not hasattr(sheet, "iter_rows"):
        return  # a sheet of charts
    sheet.reset_dimensions()  # what a file says of its own size is not believed
    for number, values in enumerate(sheet.iter_rows(values_only=True, max_col=COLUMNS_MAX), start=1):
        yield number, [_text(value) for value in values]


def _text(value: Any) -> str:
    """A cell as a text file would have it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.replace(microsecond=0).isoformat(" ")
    if isinstance(value, float):
        return f"{value:.12g}" if abs(value) < 1e12 else repr(value)
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if isinstance(value, time):
        return value.strftime("%H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()


def guard(raw: BinaryIO) -> None:
    """Raises ImportFileError for what is no workbook, or would be too large once unpacked."""
    raw.seek(0)
    try:
        with zipfile.ZipFile(raw) as archive:
            parts = archive.infolist()
            if "xl/workbook.xml" not in archive.namelist():
                words = gettext("a ZIP archive that is no Excel workbook: unpack it, or save the table as XLSX or CSV")
                raise ImportFileError(words)
            strings = sum(part.file_size for part in parts if part.filename.lower().endswith("sharedstrings.xml"))
            unpacked = sum(part.file_size for part in parts)
            if len(parts) > PARTS_MAX or unpacked > UNPACKED_MAX or strings > STRINGS_MAX:
                words = gettext("this Excel workbook is too large once unpacked (%(size)d MB): save the table as CSV")
                raise ImportFileError(words % {"size": unpacked // 1024 // 1024})
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with archive.open(part) as content:
                        if b"<!DOCTYPE" in content.read(4096):
                            raise ImportFileError(gettext("this Excel workbook holds a DOCTYPE, which none does"))
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise _unreadable(error) from error
