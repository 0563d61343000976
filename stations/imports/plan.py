"""A file opened: what it is, its format, how its dates and numbers are to be read, whose numbers it carries."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from django.utils.translation import gettext

from stations.errors import ImportFileError, ZoneMissingError
from stations.imports.formats import door
from stations.imports.formats.base import Format
from stations.imports.reading.dates import FORMS, Dates
from stations.imports.reading.numbers import Marks
from stations.imports.reading.opening import Source, opened
from stations.imports.reading.row import Reader, Reading, Record, Surveyed

SOURCE = re.compile(r"[a-z0-9-]{0,16}")
SOURCE_EXPECTED = "expected at most 16 of the letters a to z, digits and -"


@dataclass(frozen=True)
class Options:
    """What an import is told. `time_zone` is for sites that it makes; a site that is there keeps its own.

    `source` names whose session numbers these are, "" for the format's; `dates` the form of dates where the reader
    knows better than the file; `mapping` a format for a table that none of ours fits.
    `dry_run`: each batch is rolled back, and nobody is told.
    """

    time_zone: str = ""
    batch: int = 1000
    dry_run: bool = False
    source: str = ""
    dates: str = ""
    mapping: Format | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first row."""

    file: Source
    format: Format
    read: Reader
    source: str  # "" for that of the format
    time_zone: str

    @property
    def name(self) -> str:
        """Whose numbers they are."""
        return self.source or self.format.name

    @property
    def prefix(self) -> str:
        """Before names of stations, so that two sources' are two."""
        return f"{self.source}-" if self.source else self.format.prefix

    def records(self) -> Iterator[Record]:
        """From the beginning."""
        return self.file.records()


def recognised(raw: BinaryIO, mapping: Format | None = None) -> tuple[Source, Format]:
    """The file and its format, by its first bytes and its columns; raises ImportFileError."""
    file = opened(raw, (lambda columns: not mapping.missing(columns)) if mapping else door.known)
    if mapping is None:
        return file, door.format_of(file.columns, file.kind)
    if lacking := mapping.missing(file.columns):
        words = gettext("the mapping %(mapping)s wants the columns %(columns)s, which are not there")
        said = words % {"mapping": mapping.title, "columns": ", ".join(lacking)}
        raise ImportFileError(f"{said}; {door.came(file.columns, file.kind)}")
    return file, mapping


def planned(raw: BinaryIO, options: Options) -> Plan:
    """Look at the whole file once, at its dates and numbers only, and decide. Raises ImportFileError."""
    file, form = recognised(raw, options.mapping)
    latest = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    dates, mark = _surveyed(file, form, options.dates)
    read = form.reader(file.columns, Reading(dates, mark, latest))
    source = options.source if options.source != form.name else ""
    if source in door.NAMES:
        words = gettext("the source cannot be called %(source)s: files of that format have this name")
        raise ImportFileError(words % {"source": source})
    return Plan(file, form, read, source, options.time_zone)


def _surveyed(file: Source, form: Format, chosen: str) -> tuple[str, str]:
    where = form.surveyed(file.columns)
    assert not chosen or chosen in FORMS
    dates, marks = Dates(form.dates, mixed=form.mixed), Marks(comma=file.comma_likely)
    if where != Surveyed():
        _walk(file, where, dates, None if file.marks_of_its_own else marks)
    return chosen or dates.form(), marks.mark()


def _walk(file: Source, where: Surveyed, dates: Dates, marks: Marks | None) -> None:
    ordered, others, numbers, point_open = where.ordered, where.dates, where.numbers if marks else (), True
    for line, cells, error in file.records():
        if error is not None:
            continue
        if ordered is not None:
            dates.add(line, cells[ordered])
        for at in others:
            dates.add(line, cells[at], ordered=False)
        for at in numbers:
            if "," in cells[at] or (point_open and "." in cells[at]):
                point_open = marks.add(line, cells[at])  # type: ignore[union-attr]  # numbers are there where marks are


def zone_asked(form: Format, time_zone: str) -> None:
    """Raises ZoneMissingError where neither the file nor the reader says what its clock was."""
    if not time_zone and not form.says_zone:
        words = gettext(
            "the times in this file (%(format)s) name no time zone, and it is not guessed: choose the zone of the place"
            " where it was charged, such as Europe/Berlin (--time-zone Europe/Berlin)"
        )
        raise ZoneMissingError(words % {"format": form.title})
