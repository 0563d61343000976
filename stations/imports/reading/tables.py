"""Text files with separated cells, whoever wrote them: any separator, encoding and line end, line breaks in quotes.

Read as a stream. A quote that is never closed costs one row, not the rest of the file.
"""

import codecs
import csv
import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, BinaryIO

from django.utils.translation import gettext

from stations.errors import ImportFileError, ImportRowError
from stations.imports.reading.row import Record

LINE_MAX = 16_384  # characters of a line, or of a record that has line breaks in its cells
RECORD_LINES_MAX = 200
SEPARATORS = (",", ";", "\t", "|")
NAMES = {",": ",", ";": ";", "\t": "tab", "|": "|"}
BLANK = " \t\r\n\f\v;,|\"'\ufeff\xa0"
CHUNK, READ = 1 << 20, 2048


class TextTable:
    """`columns` as the header has them; `records()` from the beginning, each time that it is called.

    `known(columns)` tells a header from a format that is known, to choose among separators.
    Raises ImportFileError where there is no header.
    """

    marks_of_its_own = False

    def __init__(self, raw: BinaryIO, known: Callable[[Sequence[str]], bool]) -> None:
        self._raw = raw
        self.encoding = encoding_of(raw)
        self.separator = ","
        self.header_line, self.columns = self._header(known)
        self.kind = f"CSV ({NAMES[self.separator]}), {self.encoding.upper().replace('-SIG', '')}"

    @property
    def comma_likely(self) -> bool:
        """Whether a comma in a number is rather before decimals: separators other than a comma are chosen for that."""
        return self.separator != ","

    def records(self) -> Iterator[Record]:
        """What follows the header; empty lines and lines of separators do not count."""
        separator, width = self.separator, len(self.columns)
        lines = self._lines()
        for number, text in lines.after(self.header_line):
            try:
                if len(text) > LINE_MAX or "\0" in text or not text.isascii():
                    check(text, self.encoding)
                if '"' in text:
                    cells = self._quoted(text, lines)
                elif not text.strip(BLANK):
                    continue
                else:
                    cells = text.split(separator)
                if len(cells) != width:
                    if not any(cells):
                        continue
                    if any(cells[width:]) or len(cells) < width:
                        raise ImportRowError(f"{width} cells", f"{len(cells)}")
                    del cells[width:]
            except ImportRowError as error:
                yield Record(number, None, error)
            else:
                yield Record(number, cells)

    def _lines(self) -> "Lines":
        return Lines(self._raw, self.encoding)

    def _header(self, known: Callable[[Sequence[str]], bool]) -> tuple[int, list[str]]:
        lines = self._lines()
        for number, text in lines.after(0):
            if number == 1 and text[:4].lower() == "sep=" and text[4:5] in SEPARATORS and len(text) == 5:
                continue  # Excel's way to say it
            if text.strip(BLANK):
                return number, self._columns(text, lines, known)
        raise ImportFileError(gettext("expected a header line, the file is empty"))

    def _columns(self, text: str, lines: "Lines", known: Callable[[Sequence[str]], bool]) -> list[str]:
        try:
            check(text, self.encoding)
            if any(letter < " " and letter != "\t" for letter in text):
                raise ImportRowError(gettext("text"), gettext("a control character"))
            found: list[tuple[bool, int, int, str, list[str]]] = []
            for self.separator in SEPARATORS:
                cells = self._quoted(text, lines) if '"' in text else text.split(self.separator)
                found.append((known(cells), len(cells), -len(found), self.separator, cells))
        except ImportRowError as error:
            raise ImportFileError(gettext("header: %(error)s") % {"error": error}) from error
        *_, self.separator, cells = max(found)
        return [cell.strip(" \ufeff\xa0\t") for cell in cells]

    def _quoted(self, text: str, lines: "Lines") -> list[str]:
        """The cells of a record with quotes; takes the lines that belong to it."""
        if text.count('"') % 2 and (more := lines.look(text)):
            try:
                reader = csv.reader(
                    chain([text + "\n"], (line + "\n" for line in more)), delimiter=self.separator, strict=True
                )
                cells = next(reader)
            except csv.Error:
                pass
            else:
                if reader.line_num == 1 + len(more):
                    check("".join(more), self.encoding)
                    lines.drop(len(more))
                    return cells
        try:
            return next(csv.reader([text], delimiter=self.separator, strict=True), [])
        except csv.Error as error:
            if self.separator == ",":
                words = gettext("comma-separated cells: %(error)s") % {"error": error}
            else:
                words = gettext("cells separated by %(separator)s: %(error)s") % {
                    "separator": NAMES[self.separator],
                    "error": error,
                }
            raise ImportRowError(words) from error


class Lines:
    """Numbered lines without their ends; of a line that is too long only the start is kept. Can look ahead."""

    def __init__(self, raw: BinaryIO, encoding: str) -> None:
        raw.seek(0)
        kept: Any = _Kept(raw)  # all that a text layer asks of a buffer
        self.text = io.TextIOWrapper(kept, encoding, errors="replace" if "16" in encoding else "surrogateescape")
        self._ahead: deque[str] = deque()
        self._number = 0

    def after(self, number: int) -> Iterator[tuple[int, str]]:
        """The lines that follow line `number`; the first is 1."""
        ahead = self._ahead
        while text := ahead.popleft() if ahead else self._read():
            self._number += 1
            if self._number > number:
                yield self._number, text[:-1] if text[-1] == "\n" else text

    def _read(self) -> str:
        text = self.text.readline(LINE_MAX + 2)
        if len(text) > LINE_MAX and text[-1] != "\n":
            while (rest := self.text.readline(LINE_MAX)) and rest[-1] != "\n":
                pass
        return text

    def look(self, text: str) -> list[str]:
        """The lines up to the one that closes the quote that `text` leaves open; [] where none does so soon."""
        length, quotes, found = len(text), text.count('"'), list[str]()
        while quotes % 2:
            if len(found) == len(self._ahead):
                if not (line := self._read()):
                    return []
                self._ahead.append(line)
            line = self._ahead[len(found)]
            found.append(line[:-1] if line[-1] == "\n" else line)
            length, quotes = length + len(line), quotes + line.count('"')
            if length > LINE_MAX or len(found) > RECORD_LINES_MAX:
                return []
        return found

    def drop(self, count: int) -> None:
        """Those looked at belong to the record before."""
        for _ in range(count):
            self._ahead.popleft()
        self._number += count


class _Kept(io.BufferedIOBase):
    """The file for a text layer that is not to close it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def read1(self, size: int | None = -1, /) -> bytes:
        """A little at a time, so that the file's position says how far its lines are."""
        return self._raw.read(READ)

    def read(self, size: int | None = -1, /) -> bytes:
        """The same, for a text layer that asks so."""
        return self._raw.read(size if size is not None else -1)


def check(text: str, encoding: str) -> None:
    """Raises ImportRowError for what is no text, or too much of it."""
    if len(text) > LINE_MAX:
        raise ImportRowError(gettext("at most %(most)d bytes in a line") % {"most": LINE_MAX}, gettext("more"))
    if "\0" in text:
        raise ImportRowError(gettext("text"), gettext("a NUL byte"))
    if not text.isascii():
        for position, character in enumerate(text):
            if "\udc80" <= character <= "\udcff":
                got = gettext("byte 0x%(byte)02x at position %(position)d")
                values = {"byte": ord(character) - 0xDC00, "position": position}
                raise ImportRowError(encoding.upper().replace("-SIG", ""), got % values)


def encoding_of(raw: BinaryIO) -> str:
    """What the bytes are: told by a byte order mark, by zeros between letters, or by what they can be."""
    raw.seek(0)
    head = raw.read(4096)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) >= 8 and max(even, odd) > len(head) // 4 and min(even, odd) * 20 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    good, bad = _counted(raw)
    return "cp1252" if bad > good else "utf-8"


def _counted(raw: BinaryIO) -> tuple[int, int]:
    """How many characters beyond ASCII are UTF-8 in the file, and how many bytes are not."""
    raw.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = bad = 0
    while piece := raw.read(CHUNK):
        if piece.isascii():
            decoder.reset()
            continue
        for character in decoder.decode(piece):
            if character > "\x7f":
                if "\udc80" <= character <= "\udcff":
                    bad += 1
                else:
                    good += 1
    return good, bad
