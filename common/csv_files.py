"""CSV for people who open it in a spreadsheet: UTF-8, and no cell that a spreadsheet would take for a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

FORMULA_STARTS = frozenset("=+-@\t\r\n")


class _Echo:
    """A file that gives back what is written to it, so that csv can write into a stream."""

    def write(self, text: str) -> str:
        """What csv.writer writes is what it returns: nothing is kept."""
        return text


def cell(value: Any) -> Any:
    """Numbers stay; a text that begins like a formula gets an apostrophe in front (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA_STARTS else value


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of the file, made as they are asked for."""
    writer = csv.writer(_Echo())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download that is sent while it is made, however long it is."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(csv_lines(columns, rows), content_type="text/csv; charset=utf-8", headers=headers)
