"""What kind of file this is, told by its first bytes; never by its name."""

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

from django.utils.translation import gettext

from stations.errors import ImportFileError
from stations.imports.reading.documents import Documents
from stations.imports.reading.row import Record
from stations.imports.reading.sheets import Sheet
from stations.imports.reading.tables import TextTable, encoding_of


class Source(Protocol):
    """A file as records. `kind` says in words what it is; `marks_of_its_own`: its numbers are numbers already."""

    kind: str
    columns: list[str]
    marks_of_its_own: bool

    @property
    def comma_likely(self) -> bool:
        """Whether a comma in a number is rather before decimals."""

    def records(self) -> Iterator[Record]:
        """From the beginning, each time that it is called."""


def opened(raw: BinaryIO, known: Callable[[Sequence[str]], bool]) -> Source:
    """The file as records; raises ImportFileError, with what to do, for what is no table and no JSON."""
    raw.seek(0)
    head = raw.read(2048)
    if head.startswith(b"PK\x03\x04"):
        return Sheet(raw, known)
    for start, words in _others().items():
        if head.startswith(start):
            raise ImportFileError(words)
    begins = _text(raw, head)[:1]
    if begins in {"{", "["}:
        return Documents(raw)
    if begins == "<":
        raise ImportFileError(
            gettext("got HTML or XML, perhaps a login page that was saved: expected CSV, JSON or XLSX")
        )
    return TextTable(raw, known)


def _text(raw: BinaryIO, head: bytes) -> str:
    if not head.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0"):
        return ""
    return head.decode(encoding_of(raw), errors="replace").lstrip("\ufeff \t\r\n")


def _others() -> dict[bytes, str]:
    pack = gettext("got a compressed file: unpack it, and import what is in it")
    return {
        b"\xd0\xcf\x11\xe0": gettext("got an old Excel workbook (.xls): save it as XLSX or CSV"),
        b"\x1f\x8b": pack,
        b"BZh": pack,
        b"7z\xbc\xaf": pack,
        b"\xfd7zXZ": pack,
        b"Rar!": pack,
        b"%PDF": gettext("got a PDF: export the sessions as CSV, JSON or XLSX"),
        b"GIF8": (picture := gettext("got a picture: export the sessions as CSV, JSON or XLSX")),
        b"\x89PNG": picture,
        b"\xff\xd8\xff": picture,
        b"SQLite format 3": gettext("got a database: export the sessions as CSV, JSON or XLSX"),
    }
