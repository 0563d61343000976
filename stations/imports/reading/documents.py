"""JSON files of records: one object, a list, or a list inside an object (OCPI's `data`, ACN-Data's `_items`).

Read as a stream: one record is in memory at a time.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO, NoReturn

from django.utils.translation import gettext

from stations.errors import ImportFileError, ImportRowError
from stations.imports.reading.row import Record
from stations.imports.reading.tables import Lines, encoding_of

LISTS = ("data", "_items", "items", "cdrs", "sessions", "results")
RECORD_MAX = 2_000_000  # characters
CHUNK = 65_536
SPACE = " \t\r\n\ufeff"


class Documents:
    """`columns` are the members of the first record; a record's `line` is its number in the file."""

    marks_of_its_own = True
    comma_likely = False

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.encoding = encoding_of(raw)
        self.kind = f"JSON, {self.encoding.upper().replace('-SIG', '')}"
        first = next(self.records(), None)
        if first is None:
            raise ImportFileError(gettext("the JSON holds no record: expected an object, a list, or a list in “data”"))
        self.columns = list(first.values) if isinstance(first.values, dict) else []

    def records(self) -> Iterator[Record]:
        """The records from the beginning. Raises ImportFileError where the JSON ends or breaks in between."""
        text = _Text(self._raw, self.encoding)
        for number, value in enumerate(text.records(), start=1):
            if isinstance(value, dict):
                yield Record(number, value)
            else:
                yield Record(number, None, ImportRowError("an object", type(value).__name__))


class _Text:
    """Characters of the file as far as they are needed, values decoded out of them."""

    def __init__(self, raw: BinaryIO, encoding: str) -> None:
        self._file = Lines(raw, encoding).text
        self._decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)
        self._buffer, self._at, self._ended, self._before = "", 0, False, 0

    def records(self) -> Iterator[Any]:
        """Each record."""
        if (opening := self._peek()) == "[":
            yield from self._list()
            return
        if opening != "{":
            raise self._broken(gettext("an object or a list"))
        start = self._at
        self._at += 1
        while (follows := self._peek()) not in {"}", ""}:
            if follows == ",":
                self._at += 1
            name = self._value()
            if self._peek() != ":":
                raise self._broken("“:”")
            self._at += 1
            if name in LISTS and self._peek() == "[":
                yield from self._list()
                return
            if self._before == 0 and self._at - start < RECORD_MAX:
                self._value()  # perhaps this object is the record itself: it stays in the buffer
                continue
            raise self._broken(gettext("a list of records"))
        if self._before == 0:
            self._at = start
            yield self._value()

    def _list(self) -> Iterator[Any]:
        self._at += 1
        while (follows := self._peek()) != "]":
            if follows == "":
                raise self._broken("“]”")
            if follows == ",":
                self._at += 1
                continue
            if self._at > CHUNK:
                self._forget()
            yield self._value()
        self._at += 1

    def _peek(self) -> str:
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in SPACE:
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        piece = self._file.read(CHUNK)
        self._ended = not piece
        self._buffer += piece
        return bool(piece)

    def _forget(self) -> None:
        self._before += self._at
        self._buffer, self._at = self._buffer[self._at :], 0

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or len(self._buffer) - self._at > RECORD_MAX or not self._more():
                    raise self._broken(gettext("a value")) from error
            else:
                # a number may go on behind what has been read
                if end < len(self._buffer) or not self._more():
                    self._at = end
                    return value

    def _broken(self, expected: str) -> ImportFileError:
        words = gettext("the JSON breaks at character %(position)d: expected %(expected)s, got %(got)s")
        got = (
            ascii(self._buffer[self._at : self._at + 20])
            if self._at < len(self._buffer)
            else gettext("the end of the file")
        )
        return ImportFileError(words % {"position": self._before + self._at + 1, "expected": expected, "got": got})


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
