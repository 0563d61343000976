"""`manage.py ledger_log`: the transparency log as files, for a server of static files or somebody's mirror."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from ledger.log.newest import published
from ledger.log.serving import all_tiles, how_many
from ledger.log.witnesses.served import published_note


class Command(BaseCommand):
    help = (
        "export DIRECTORY: write the newest published checkpoint and all its tiles (C2SP tlog-tiles) below the "
        "directory, as /log/ serves them. What is there already is not written again; the checkpoint comes last, so "
        "that whoever reads meanwhile finds all that it speaks of."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        export = commands.add_parser("export", help="write checkpoint and tiles as files")
        export.add_argument("directory", type=Path, metavar="DIRECTORY")
        export.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        newest = published()
        if newest is None:
            raise CommandError("the log has no published checkpoint yet")
        directory, written, there = options["directory"], 0, 0
        try:
            with tqdm(total=how_many(newest.size), unit=" tiles", disable=None, leave=False) as bar:
                for tile, data in all_tiles(newest.size):
                    bar.update()
                    path = directory / tile.path
                    if path.exists() and path.stat().st_size == len(data):
                        there += 1
                        continue
                    written += 1
                    if not options["dry_run"]:
                        self._write(path, data)
            if not options["dry_run"]:
                self._write(directory / "checkpoint", published_note(newest))
        except OSError as error:
            raise CommandError(f"{error.filename or directory}: {error.strerror}") from error
        done = "would be written" if options["dry_run"] else "written"
        self.stdout.write(f"{newest.size} leaves: {written} tiles {done}, {there} there already; {directory}")

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(
            f".{path.name}.{os.getpid()}"
        )  # whoever reads sees the old file, or the whole new one
        temporary.write_bytes(data)
        temporary.replace(path)
