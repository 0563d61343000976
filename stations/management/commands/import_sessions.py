"""`manage.py import_sessions FILE`: charging sessions from a workplace charging file (data/README.md)."""

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
from stations.errors import ImportFileError, RecordingUnavailableError
from stations.imports.file import Finding, Options, Tally, file_import

SHOWN_FINDINGS = 20
LINE_EVERY_S = 5
BATCH_MAX = 5000
EXIT_ROWS_LEFT_OUT = 3
EXIT_INTERRUPTED = 130


class Command(BaseCommand):
    help = """Import charging sessions from a CSV file. Safe to repeat: what is there is counted, not doubled.

Exit status: 0 every row is in; 3 done, but rows were left out (the report names each, and why);
1 the file or the database could not be used; 2 wrong arguments; 130 interrupted."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="read and compare, but store nothing")
        parser.add_argument("--report", type=Path, metavar="FILE", help="CSV of every row left out, and why")
        parser.add_argument(
            "--time-zone",
            default=Options.time_zone,
            metavar="ZONE",
            help="of the sites that are not there yet: the file's times are local and name no zone (%(default)s)",
        )
        parser.add_argument(
            "--batch", type=int, default=Options.batch, metavar="N", help="rows a transaction (%(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        choices = options_checked(options)
        begun = time.monotonic()
        with self.reporting(options["report"], path) as report, self.progressing(path) as progress, collecting_less():
            try:
                tally = file_import(path, options=choices, report=report, progress=progress)
            except ImportFileError as error:
                raise CommandError(f"{path}: {error}") from error
            except DatabaseError as error:
                raise CommandError(f"the database refused: {error}. Finished batches stay; run this again.") from error
            except RecordingUnavailableError as error:
                raise CommandError(f"{error}. Finished batches stay; run this again.") from error
            except KeyboardInterrupt as error:
                message = "interrupted. Finished batches stay; run this again to go on."
                raise CommandError(message, returncode=EXIT_INTERRUPTED) from error
        self.summarise(tally, seconds=time.monotonic() - begun, dry_run=choices.dry_run)
        if left_out := tally.skipped + tally.different:
            where = f"see {options['report']}" if options["report"] else "--report FILE lists them all"
            raise CommandError(f"{left_out:,} of {tally.rows:,} rows left out; {where}", returncode=EXIT_ROWS_LEFT_OUT)

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


def options_checked(options: dict[str, Any]) -> Options:
    """The command's options as the import takes them; raises CommandError (exit status 1)."""
    try:
        time_zone_validate(options["time_zone"])
    except ValidationError as error:
        raise CommandError(f"--time-zone: {error.message}") from error
    if not 1 <= options["batch"] <= BATCH_MAX:
        raise CommandError(f"--batch: expected 1 to {BATCH_MAX}, got {options['batch']}")
    return Options(time_zone=options["time_zone"], batch=options["batch"], dry_run=options["dry_run"])
