"""`manage.py import_sessions FILE`: charging sessions from a file (docs/imports.md)."""

import csv
import gc
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from tqdm import tqdm

from accounts.models import time_zone_validate
from common.csv_files import cell
from stations.errors import ImportFileError, ImportStateError, RecordingUnavailableError
from stations.imports.by_command import CommandRun
from stations.imports.file import Finding, Tally, file_import
from stations.imports.formats.mapped import format_of_mapping
from stations.imports.plan import SOURCE, SOURCE_EXPECTED, Options
from stations.imports.reading.dates import FORMS
from stations.imports.taking_back import import_take_back
from stations.models.imports import ImportMapping, ImportRun

SHOWN_FINDINGS = 20
LINE_EVERY_S = 5
BATCH_MAX = 5000
EXIT_ROWS_LEFT_OUT = 3
EXIT_INTERRUPTED = 130


class Command(BaseCommand):
    help = """Import charging sessions from a file. Safe to repeat: what is there is counted, not doubled.

CSV with any separator and encoding, XLSX or JSON. What it is, is told by its columns: our own export, the workplace
data of data/README.md, SteVe, evcc, ChargePoint, Boulder, Dundee, Perth & Kinross, OCPI CDRs, ACN-Data; any other
table by a mapping of its columns that was made in the admin. docs/imports.md tells all of them.

Exit status: 0 every row is in; 3 done, but rows were left out (the report names each, and why);
1 the file or the database could not be used; 2 wrong arguments; 130 interrupted."""

    epilog = """examples:
  import_sessions sessions.csv --dry-run --time-zone Europe/Berlin
  import_sessions sessions.csv --time-zone Europe/Berlin --report left-out.csv
  import_sessions steve-north.csv --source north --time-zone UTC    (another SteVe has the same numbers)
  import_sessions list.xlsx --mapping wallbox
  import_sessions --take-back 7                                    (the number is in the admin, Imports)"""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        kwargs |= {"formatter_class": RawDescriptionHelpFormatter, "epilog": self.epilog}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?")
        parser.add_argument("--dry-run", action="store_true", help="read and compare, but store nothing")
        parser.add_argument("--report", type=Path, metavar="FILE", help="CSV of every row left out, and why")
        parser.add_argument(
            "--time-zone",
            default="",
            metavar="ZONE",
            help="of the sites that are not there yet, where the file's times name no zone: Europe/Berlin",
        )
        parser.add_argument(
            "--source",
            default="",
            metavar="NAME",
            help="whose session numbers these are, where two of one kind (two SteVes) use the same; else the format's",
        )
        parser.add_argument(
            "--dates", default="", choices=["", *FORMS], help="the form of the file's dates, where rows leave it open"
        )
        parser.add_argument("--mapping", default="", metavar="NAME", help="what the columns mean, as kept in the admin")
        parser.add_argument(
            "--batch", type=int, default=Options.batch, metavar="N", help="rows a transaction (%(default)s)"
        )
        parser.add_argument(
            "--take-back", type=int, metavar="NUMBER", help="delete again what an import brought, before it is recorded"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["take_back"] is not None:
            self.take_back(options["take_back"], options["file"])
            return
        path: Path | None = options["file"]
        if path is None:
            raise CommandError("which FILE? (--help has examples)", returncode=2)
        mapping = mapping_named(options["mapping"])
        choices = options_checked(options, mapping)
        begun = time.monotonic()
        run = CommandRun(path, choices, mapping)
        try:
            with self.reporting(options["report"], path) as report, self.progressing(path) as progress:
                tally = self.bring(path, choices, run, report, progress)
        except CommandError as error:
            run.end(str(error))
            raise
        run.end()
        self.summarise(tally, seconds=time.monotonic() - begun, dry_run=choices.dry_run)
        if run.run is not None and tally.imported:
            self.stdout.write(f"this is import {run.run.pk}: --take-back {run.run.pk} until it is recorded")
        if left_out := tally.skipped + tally.different:
            where = f"see {options['report']}" if options["report"] else "--report FILE lists them all"
            raise CommandError(f"{left_out:,} of {tally.rows:,} rows left out; {where}", returncode=EXIT_ROWS_LEFT_OUT)

    def bring(
        self,
        path: Path,
        choices: Options,
        run: CommandRun,
        report: Callable[[Finding], None],
        progress: Callable[[int, Tally], None],
    ) -> Tally:
        """The import itself; what stops it is said, and what was stored before stays."""
        try:
            with collecting_less():
                return file_import(
                    path, options=choices, report=report, progress=progress, begin=run.begin, stored=run.stored
                )
        except ImportFileError as error:
            raise CommandError(f"{path}: {error}") from error
        except DatabaseError as error:
            raise CommandError(f"the database refused: {error}. Finished batches stay; run this again.") from error
        except RecordingUnavailableError as error:
            raise CommandError(f"{error}. Finished batches stay; run this again.") from error
        except KeyboardInterrupt as error:
            message = "interrupted. Finished batches stay; run this again to go on."
            raise CommandError(message, returncode=EXIT_INTERRUPTED) from error

    def take_back(self, number: int, file: Path | None) -> None:
        """Delete again what an import brought."""
        if file is not None:
            raise CommandError("--take-back takes no FILE", returncode=2)
        run = ImportRun.objects.filter(pk=number).first()
        if run is None:
            raise CommandError(f"--take-back: there is no import {number}")
        try:
            count = import_take_back(run=run, by=None)
        except ImportStateError as error:
            raise CommandError(f"{error}.") from error
        self.stdout.write(f"import {number} ({run.file_name}) was taken back: {count:,} sessions are gone")

    def summarise(self, tally: Tally, *, seconds: float, dry_run: bool) -> None:
        verb = "would be imported" if dry_run else "imported"
        self.stdout.write(
            f"{tally.rows:,} rows in {seconds:.1f} s ({tally.rows / max(seconds, 0.001):,.0f} a second):"
            f" {tally.imported:,} {verb}, {tally.already_there:,} already there,"
            f" {tally.different:,} different from what is there, {tally.skipped:,} skipped"
        )
        for flag, count in sorted(tally.flags.items()):
            self.stdout.write(f"  flagged {flag}: {count:,}")

    @contextmanager
    def reporting(self, path: Path | None, source: Path) -> Iterator[Callable[[Finding], None]]:
        """Findings go to the report file, or the first of them to standard error."""
        if path is None:
            yield self.finding_printer()
            return
        if path.exists() and source.exists() and path.samefile(source):
            raise CommandError(f"--report {path} is the file to be imported")
        try:
            file = path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"--report {path} cannot be written: {error.strerror}") from error
        with file:
            writer = csv.writer(file)
            writer.writerow(["line", "session_id", "outcome", "reason"])
            yield lambda found: writer.writerow(map(cell, (found.line, found.session_id, found.outcome, found.reason)))

    def finding_printer(self) -> Callable[[Finding], None]:
        shown = 0

        def show(found: Finding) -> None:
            nonlocal shown
            shown += 1
            if shown <= SHOWN_FINDINGS:
                self.stderr.write(f"line {found.line} {found.outcome}: {found.reason}")
            elif shown == SHOWN_FINDINGS + 1:
                self.stderr.write("… (--report FILE lists them all)")

        return show

    @contextmanager
    def progressing(self, path: Path) -> Iterator[Callable[[int, Tally], None]]:
        """A progress bar on a terminal, else a line every few seconds."""
        size = path.stat().st_size if path.is_file() else None
        if not sys.stderr.isatty():
            yield self.line_printer(size)
            return
        with tqdm(total=size, unit="B", unit_scale=True, desc=path.name) as bar:

            def show(position: int, tally: Tally) -> None:
                bar.update(position - bar.n)
                bar.set_postfix_str(f"{tally.rows:,} rows")

            yield show

    def line_printer(self, size: int | None) -> Callable[[int, Tally], None]:
        last = time.monotonic()

        def show(position: int, tally: Tally) -> None:
            nonlocal last
            if time.monotonic() - last >= LINE_EVERY_S:
                last = time.monotonic()
                self.stdout.write(f"{tally.rows:,} rows, {100 * position // max(size or 1, 1)} % of the file")

        return show


@contextmanager
def collecting_less() -> Iterator[None]:
    """Let the garbage collector look less often: its walks over a batch's living rows are a quarter of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def mapping_named(name: str) -> ImportMapping | None:
    """The mapping that was asked for; raises CommandError with the names that there are."""
    if not name:
        return None
    found = ImportMapping.objects.filter(name=name).first()
    if found is None:
        names = ", ".join(ImportMapping.objects.values_list("name", flat=True)) or "none: make one in the admin"
        raise CommandError(f"--mapping: there is no {name}; there are {names}")
    return found


def options_checked(options: dict[str, Any], mapping: ImportMapping | None) -> Options:
    """The command's options as the import takes them; raises CommandError (exit status 1)."""
    zone = options["time_zone"] or (mapping.time_zone if mapping else "")
    try:
        if zone:
            time_zone_validate(zone)
    except ValidationError as error:
        raise CommandError(f"--time-zone: {error.message}") from error
    if not 1 <= options["batch"] <= BATCH_MAX:
        raise CommandError(f"--batch: expected 1 to {BATCH_MAX}, got {options['batch']}")
    if not SOURCE.fullmatch(options["source"]):
        raise CommandError(f"--source: {SOURCE_EXPECTED}, got {options['source']!r}")
    dates = options["dates"] or (mapping.dates if mapping else "")
    form = format_of_mapping(mapping)
    return Options(zone, options["batch"], options["dry_run"], options["source"], dates, form)
