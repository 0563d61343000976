"""PURE: what a format is. A table's format names its columns and makes a row of a line's cells; JSON has its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.utils.translation import gettext

from stations.errors import ImportFileError
from stations.imports.reading import values
from stations.imports.reading.lasted import Lasted
from stations.imports.reading.row import Reader, Reading, Row, Surveyed


class Format(Protocol):
    """One kind of file. `name` is also the source of its sessions' numbers, unless an import names another.

    `prefix` keeps its stations from being taken for real ones.
    """

    @property
    def name(self) -> str:
        """Whose numbers its sessions have."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def prefix(self) -> str:
        """Before the names of its stations."""

    @property
    def says_zone(self) -> bool:
        """Whether its times are moments."""

    @property
    def dates(self) -> str:
        """How it is known to write dates that do not begin with the year."""

    @property
    def mixed(self) -> bool:
        """Whether it is known to write both kinds."""

    @property
    def one_site(self) -> bool:
        """Whether a row that puts a station elsewhere is wrong."""

    def missing(self, columns: Sequence[str]) -> list[str]:
        """Which of the columns that tell this format are not there; none: it is this one."""

    def reader(self, columns: Sequence[str], reading: Reading) -> Reader:
        """What makes a row of a record. Raises ImportFileError for columns that are there twice."""

    def surveyed(self, columns: Sequence[str]) -> Surveyed:
        """Where dates and numbers stand."""


def same(column: str) -> str:
    """Column names are compared without case, and with single spaces."""
    return " ".join(column.split()).casefold()


class Cells:
    """The cells of one line by what they mean; errors name the file's own columns."""

    __slots__ = ("_columns", "_where", "line", "reading", "values")

    def __init__(self, where: Mapping[str, int], columns: Sequence[str], reading: Reading) -> None:
        self._where, self.reading = where, reading
        self._columns = {name: columns[at] for name, at in where.items()}
        self.line = 0
        self.values: Sequence[str] = ()

    def __getitem__(self, name: str) -> str:
        """ "" where the file has no such column."""
        at = self._where.get(name)
        return self.values[at] if at is not None else ""

    def column(self, name: str) -> str:
        """What the file calls it."""
        return self._columns.get(name, name)

    def identifier(self, name: str) -> str:
        return values.identifier(self[name], self.column(name))

    def name(self, name: str, most: int = 255) -> str:
        return values.name(self[name], self.column(name), most)

    def number(self, name: str) -> str:
        """The session's number: what can be one is taken as it is, what is too long or strange by its hash."""
        text = self.name(name)
        return values.code(text, values.NUMBER_MAX)

    def energy_wh(self, name: str, *, exact: bool = False) -> int:
        """kWh to Wh; exporters count finer, so what is left is rounded."""
        return self.units(name, digits=3, exact=exact)

    def units(self, name: str, *, digits: int, exact: bool = True) -> int:
        return values.scaled(self[name], self.column(name), digits=digits, mark=self.reading.mark, exact=exact)

    def time(self, name: str) -> datetime:
        """A local time without zone."""
        reading = self.reading
        return values.local_time(self[name], self.column(name), latest=reading.latest, form=reading.form)

    def times(self, day: str, clock: str) -> datetime:
        """The same, from a column for the day and one for the time."""
        reading, text = self.reading, f"{self[day].partition(' ')[0]} {self[clock]}"
        return values.local_time(text, self.column(day), latest=reading.latest, form=reading.form)

    def instant(self, name: str) -> datetime:
        return values.instant(self[name], self.column(name), latest=self.reading.latest)

    def clock(self, name: str, *, whole: bool) -> Lasted | None:
        return values.clock(self[name], self.column(name), whole=whole)

    def hours(self, name: str) -> Lasted | None:
        return values.hours(self[name], self.column(name), self.reading.mark)


@dataclass(frozen=True)
class Table:
    """A format of tables. `columns`: what a field is called in the file, by any of these names; `needed`: those that
    tell it; `without`: columns that tell another format."""

    name: str
    title: str
    columns: Mapping[str, Sequence[str]]
    needed: Sequence[str]
    row: Callable[[Cells], Row]
    prefix: str = ""
    says_zone: bool = False
    without: Sequence[str] = ()
    dates: str = ""
    mixed: bool = False
    one_site: bool = False
    strict: bool = False  # blanks around a cell are a mistake
    ordered: str = "started"
    other_dates: Sequence[str] = ("stopped",)
    numbers: Sequence[str] = field(default=("energy",))

    def missing(self, columns: Sequence[str]) -> list[str]:
        """Names of needed columns that are not there, and of those that must not be."""
        there = {same(column) for column in columns}
        lacking = [self.columns[one][0] for one in self.needed if not there & {same(n) for n in self.columns[one]}]
        return lacking + [f"not {one}" for one in self.without if same(one) in there]

    def where(self, columns: Sequence[str]) -> dict[str, int]:
        """Which column has which field; raises ImportFileError where one is there twice."""
        there = [same(column) for column in columns]
        found = {}
        for name, names in self.columns.items():
            for at in (same(one) for one in names):
                if there.count(at) > 1:
                    words = gettext("header: expected %(column)s once, it is there %(count)s times")
                    raise ImportFileError(words % {"column": columns[there.index(at)], "count": there.count(at)})
                if at in there:
                    found[name] = there.index(at)
                    break
        return found

    def reader(self, columns: Sequence[str], reading: Reading) -> Reader:
        """Reads one line after the other into the same cells: no object a line."""
        cells, row = Cells(self.where(columns), columns, reading), self.row

        def read(line: int, found: Any) -> Row:
            cells.line, cells.values = line, found
            return row(cells)

        def stripped(line: int, found: Any) -> Row:
            cells.line, cells.values = line, [cell.strip() for cell in found]
            return row(cells)

        return read if self.strict else stripped

    def surveyed(self, columns: Sequence[str]) -> Surveyed:
        """Where dates and numbers stand."""
        where = self.where(columns)
        dates = tuple(where[name] for name in self.other_dates if name in where)
        return Surveyed(where.get(self.ordered), dates, tuple(where[name] for name in self.numbers if name in where))
