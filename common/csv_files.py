"""CSV for people, whose spreadsheet opens it by a double click: right letters, right columns, and no formulas.

- It begins with the byte order mark, without which Excel takes UTF-8 for the Windows code page ("ZÃ¼rich").
- Separator and decimal mark are those that spreadsheets expect in the language that is active: where the mark is a
  comma, as in German, cells are separated by semicolons. Names of columns, times and codes are the same everywhere.
- No cell is a formula, also where a spreadsheet of another language takes the row apart at other places (OWASP, CSV
  injection). `as_written` takes that back, for whoever reads such a file.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.formats import get_format
from django.utils.translation import get_language

BYTE_ORDER_MARK = "\ufeff"

# Where a cell begins, in whatever way the row is taken apart, and what makes it a formula then. A number with a minus
# is none. East Asian spreadsheets take the wide forms of the marks, too.
_BEGIN = r"(^|[;,\t\r\n])([\s\"]*)"  # a quote that stands in a text is one around a cell to whoever cuts there
_FORMULA = r"(?:[=+@＝＋－＠]|-(?![0-9]+(?:[.,][0-9]+)?(?:$|[;,\t\r\n])))"
_WRITES = re.compile(rf"{_BEGIN}(?='*{_FORMULA})")
_READS = re.compile(rf"{_BEGIN}'(?='*{_FORMULA})")
# Nor may one begin with a tab or a line's end.
_WRITES_BLANK, _READS_BLANK = re.compile(r"^(?='*[\t\r\n])"), re.compile(r"^'(?='*[\t\r\n])")


@dataclass(frozen=True)
class Marks:
    """What stands between two cells, and before the decimals of a number."""

    separator: str
    decimal: str

    @classmethod
    def of(cls, language: str | None) -> "Marks":
        """As spreadsheets have them where this language is spoken."""
        decimal = str(get_format("DECIMAL_SEPARATOR", language or "en", use_l10n=True))
        return cls(";" if decimal == "," else ",", decimal)


class _Echo:
    """A file that gives back what is written to it, so that csv can write into a stream."""

    def write(self, text: str) -> str:
        """What csv.writer writes is what it returns: nothing is kept."""
        return text


ENGLISH = Marks(",", ".")


def cell(value: Any, marks: Marks = ENGLISH) -> Any:
    """What the cell says: numbers as numbers, and an apostrophe before whatever begins like a formula in a text."""
    if isinstance(value, Decimal):
        return f"{value:f}".replace(".", marks.decimal)
    return _WRITES_BLANK.sub("'", _WRITES.sub(r"\1\2'", value)) if isinstance(value, str) else value


def as_written(text: str) -> str:
    """The text of which `cell` made this one."""
    return _READS.sub(r"\1\2", _READS_BLANK.sub("", text))


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of the file for the reader whose language is active now, made as they are asked for."""
    return _lines(columns, rows, Marks.of(get_language()))


def _lines(columns: Sequence[str], rows: Iterable[Sequence[Any]], marks: Marks) -> Iterator[str]:
    writer = csv.writer(_Echo(), delimiter=marks.separator)
    yield BYTE_ORDER_MARK + str(writer.writerow(columns))
    for row in rows:
        yield str(writer.writerow([cell(value, marks) for value in row]))


def csv_response(name: str, lines: Iterable[str]) -> StreamingHttpResponse:
    """A download that is sent while it is made, however long it is."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
