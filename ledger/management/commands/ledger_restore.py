"""`manage.py ledger_restore`: the sessions back from the chain."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from ledger import keys
from ledger.chain import chain
from ledger.errors import LedgerError
from ledger.restoration import restore
from tpm.client import TpmError


class Command(BaseCommand):
    help = (
        "Bring sessions back from their sealed copies on the chain. Needs the master key file, the TPM that opens it "
        "(`manage.py ledger_keys status`) and, in an empty database, a key backup (`ledger_keys backup FILE`). "
        "Repeats safely; what is there is left alone. "
        "Exit status: 0 when every copy was read, 1 when some could not be opened, 2 when nothing could be done. "
        "Not on the chain and so not restored: users, links of tokens to users, meter values, station credentials."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keys", type=Path, metavar="FILE", help="a key backup to read first")
        parser.add_argument("--first-block", type=int, default=2, metavar="N", help="start at this block (default 2)")
        parser.add_argument("--dry-run", action="store_true", help="say what would come back, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["keys"]:
                self._read_keys(options["keys"])
            first = options["first_block"]
            last = chain().info().lib_num
            with tqdm(total=max(last - first + 1, 0), unit=" blocks", disable=None, leave=False) as bar:
                done = restore(first_block=first, dry_run=options["dry_run"], progress=lambda _: bar.update() and None)
        except (LedgerError, TpmError) as error:
            raise CommandError(str(error), returncode=2) from error
        verb = "would be restored" if options["dry_run"] else "restored"
        self.stdout.write(f"{done.sessions} sessions {verb}, {done.already_there} already there, {done.erased} erased")
        if done.unreadable:
            shown = ", ".join(map(str, done.unreadable[:20]))
            self.stderr.write(
                f"{len(done.unreadable)} copies could not be opened with the keys at hand, "
                f"or credit a session that is not on the chain: {shown}"
            )
            raise SystemExit(1)

    def _read_keys(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} is not a readable key backup: {error}", returncode=2) from error
        self.stdout.write(f"{keys.restore(content)} data keys read from {path}")
