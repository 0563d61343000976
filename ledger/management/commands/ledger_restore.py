"""`manage.py ledger_restore`: sessions back from the chain; with --repair, back to what was recorded."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.models import User
from common.change_log import Change
from ledger.chain.node import chain
from ledger.errors import LedgerError
from ledger.keys import data_keys
from ledger.repair.repair import Repaired, repair, to_repair
from ledger.repair.restoration import Restored, restore
from tpm.client import TpmError

NAMED_MAX = 20


class Command(BaseCommand):
    help = (
        "Bring sessions back from their sealed copies on the chain. Needs the master key file, the TPM that opens it "
        "(`manage.py ledger_keys status`) and, in an empty database, a key backup (`ledger_keys backup FILE`). "
        "Repeats safely; what is there as recorded is left alone; an entry whose ledger id the chain gave to another "
        "record gets a new one. With --repair, sessions and entries that differ from what was recorded are put back to "
        "it, field by field, and the change log keeps what they were. "
        "Exit status: 0 when everything is there, 1 when something could not be brought or put back, 2 when nothing "
        "could be done. "
        "Not on the chain and so not restored: users, links of tokens to users, meter values, reasons of corrections, "
        "station credentials."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keys", type=Path, metavar="FILE", help="a key backup to read first")
        parser.add_argument(
            "--first-block",
            type=int,
            default=2,
            metavar="N",
            help="where the contract does not list all blocks with records: read one by one from here (default 2)",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
        parser.add_argument(
            "--repair",
            nargs="*",
            metavar="ID",
            help="put these sessions or ledger ids back to what was recorded; without any, all that an audit finds",
        )
        parser.add_argument("--reason", default="", help="with --repair: kept in the change log")
        parser.add_argument(
            "--by", metavar="USERNAME", help="with --repair: in whose name (default: the command's own)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["keys"]:
                self._read_keys(options["keys"])
            if options["repair"] is None:
                well = self._restore(first_block=options["first_block"], dry_run=options["dry_run"])
            else:
                well = self._repair(options["repair"], options)
        except (LedgerError, TpmError) as error:
            raise CommandError(str(error), returncode=2) from error
        if not well:
            raise SystemExit(1)

    def _read_keys(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} is not a readable key backup: {error}", returncode=2) from error
        self.stdout.write(f"{data_keys.restore(content)} data keys read from {path}")

    # --- restoring

    def _restore(self, *, first_block: int, dry_run: bool) -> bool:
        records = chain().state().last
        with tqdm(total=records, unit=" records", disable=None, leave=False, delay=2) as bar:
            done = restore(first_block=first_block, dry_run=dry_run, progress=lambda count: bar.update(count) and None)
        self._tell(done, "would be restored" if dry_run else "restored")
        return done.complete

    def _tell(self, done: Restored, verb: str) -> None:
        """The counts, then what needs a person."""
        self.stdout.write(f"{done.sessions} sessions {verb}, {done.already_there} already there, {done.erased} erased")
        if done.adopted:
            self.stdout.write(f"{done.adopted} were there, but not known to be recorded")
        if done.renumbered:
            pairs = _named([f"{old} → {new}" if new > 0 else str(old) for old, new in done.renumbered])
            self.stdout.write(f"{len(done.renumbered)} entries got a new ledger id, theirs was taken: {pairs}")
        if done.closed_again:
            pairs = _named([str(recorded) for _, recorded in done.closed_again])
            self.stdout.write(f"{len(done.closed_again)} sessions had ended a second time; the record counts: {pairs}")
        if done.pruned:
            self.stdout.write(f"{done.pruned} are in their blocks only (pruned)")
        if done.unused:
            self.stdout.write(f"{done.unused} ledger ids up to {done.last} were not found in any block that was read")
        if done.unreadable:
            self.stderr.write(
                f"{len(done.unreadable)} copies could not be opened with the keys at hand, "
                f"or credit a session that is not on the chain: {_named(done.unreadable)}"
            )
        if done.different:
            self.stderr.write(
                f"{len(done.different)} ledger ids hold something else here than was recorded, and were left alone "
                f"(`ledger_restore --repair` puts them back): {_named(done.different)}"
            )

    # --- repairing

    def _repair(self, names: Sequence[str], options: dict[str, Any]) -> bool:
        dry_run, well, count = options["dry_run"], True, 0
        by = _user(options["by"])
        wanted = [_wanted(name) for name in names] if names else to_repair()
        with tqdm(total=len(wanted), unit=" records", disable=None, leave=False, delay=2) as bar:
            for told in repair(wanted, by=by, reason=options["reason"], dry_run=dry_run):
                bar.update()
                count += told.changed and not told.problem
                well = self._tell_repaired(told) and well
        self.stdout.write(f"{count} {'would be put' if dry_run else 'put'} back to what was recorded")
        return well

    def _tell_repaired(self, told: Repaired) -> bool:
        names = [f"ledger id {told.ledger_id}"] if told.ledger_id is not None else []
        names += [f"session {told.session_id}"] if told.session_id else []
        lines = ["the session was gone"] if told.session_came_back else []
        lines += ["the ledger entry was gone"] if told.entry_came_back else []
        lines += [*_lines("session", told.session), *_lines("entry", told.entry)]
        if told.meter_values:
            lines.append("its meter values are not those that were recorded, and the record has only their digest")
        if told.problem:
            self.stderr.write(f"{', '.join(names)}: {told.problem}")
        elif lines:
            self.stdout.write("\n  ".join([f"{', '.join(names)}:", *lines]))
        else:
            self.stdout.write(f"{', '.join(names)}: as it was recorded")
        return not told.problem and not told.meter_values


def _lines(what: str, changes: Iterable[Change]) -> list[str]:
    return [f"{what} {change['field']}: {change['before']} → {change['after']}" for change in changes]


def _named(items: Sequence[Any]) -> str:
    more = f" and {len(items) - NAMED_MAX} more" if len(items) > NAMED_MAX else ""
    return ", ".join(map(str, items[:NAMED_MAX])) + more


def _wanted(name: str) -> int | UUID:
    try:
        return int(name) if name.isascii() and name.isdigit() else UUID(name)
    except ValueError as error:
        raise CommandError(f"expected a ledger id or a session's id, got {name}", returncode=2) from error


def _user(name: str | None) -> User | None:
    if name is None:
        return None
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"there is no user {name}", returncode=2)
    return user
