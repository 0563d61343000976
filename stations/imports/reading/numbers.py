"""PURE: which mark stands before the decimals in a file, told by all of its rows."""

import re

from django.utils.translation import gettext

from stations.errors import ImportFileError
from stations.imports.reading.dates import Seen

_COMMA = re.compile(r"\d+(?:\.\d{3})*,\d+", re.ASCII)
_POINT = re.compile(r"\d+(?:,\d{3})*\.\d+", re.ASCII)
_OPEN = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)  # 1,234: decimals or thousands


class Marks:
    """Takes the cells of numbers; `mark()` says what is before decimals. `comma`: in doubt it is a comma."""

    def __init__(self, *, comma: bool) -> None:
        self._doubt = comma
        self._comma: Seen | None = None
        self._point: Seen | None = None
        self._open: Seen | None = None

    def add(self, line: int, text: str) -> bool:
        """One cell; what is no number is the row's own trouble. False: of cells with points alone enough is known."""
        if "," in text:
            if _OPEN.fullmatch(text):
                self._open = self._open or Seen(line, text)
            elif _COMMA.fullmatch(text):
                self._comma = self._comma or Seen(line, text)
            elif _POINT.fullmatch(text):
                self._point = self._point or Seen(line, text)
        elif self._point is None and "." in text and _POINT.fullmatch(text) and not _OPEN.fullmatch(text):
            self._point = Seen(line, text)
        return self._point is None

    def mark(self) -> str:
        """A point or a comma. Raises ImportFileError where the rows contradict each other, or leave it open."""
        if self._comma and self._point:
            one, other = sorted((self._comma, self._point))
            words = gettext(
                "the numbers change their form: line %(line)s has %(number)s, line %(other_line)s has %(other)s. Export"
                " the file again and do not open it in between"
            )
            found = {"line": one.line, "number": one.text, "other_line": other.line, "other": other.text}
            raise ImportFileError(words % found)
        if self._comma:
            return ","
        if self._open and not self._point and not self._doubt:
            words = gettext(
                "numbers such as %(number)s in line %(line)s can mean thousands or decimals, and no row decides it:"
                " write them with a decimal point and without marks between thousands"
            )
            raise ImportFileError(words % {"number": self._open.text, "line": self._open.line})
        return "," if self._open and not self._point else "."
