"""`manage.py reseal`: after SECRET_KEY was changed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from common.resealing import COLUMNS, Column, Tally, reseal


class Command(BaseCommand):
    help = (
        "Seal anew under SECRET_KEY what the database keeps sealed under one of SECRET_KEY_FALLBACKS. "
        "Then the old key can go. Repeats safely, also beside a portal at work. "
        "Exit status: 0 when all could be opened, 1 when something needs a key that is not there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be sealed anew, and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        tallies = [self._reseal(column, dry_run=dry_run) for column in COLUMNS]
        if any(tally.lost for tally in tallies):
            self.stderr.write("What could not be opened needs an older key in EVPORTAL_SECRET_KEY_FALLBACKS.")
            raise SystemExit(1)

    def _reseal(self, column: Column, *, dry_run: bool) -> Tally:
        with tqdm(total=column.model._default_manager.count(), desc=column.name, disable=None, leave=False) as bar:
            tally = reseal(column, dry_run=dry_run, progress=bar.update)
        verb = "would be sealed anew" if dry_run else "sealed anew"
        lost = f", {tally.lost} could not be opened" if tally.lost else ""
        self.stdout.write(f"{column.name}: {tally.old} of {tally.read} {verb}{lost}")
        return tally
