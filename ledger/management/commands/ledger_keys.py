"""`manage.py ledger_keys`: back up the wrapped data keys, forget a customer."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from ledger import keys
from ledger.erasure import customer_erase
from ledger.errors import LedgerError


class Command(BaseCommand):
    help = (
        "backup FILE: write all data keys, wrapped by the master key. Keep the master key file elsewhere: both "
        "together open every copy on the chain. erase USERNAME: destroy the data keys of this customer's tokens, "
        "for ever, and replace the master key; make a new backup afterwards, older ones are of no use any more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        backup = commands.add_parser("backup", help="write all wrapped data keys to FILE (0600)")
        backup.add_argument("file", type=Path)
        erase = commands.add_parser("erase", help="destroy the data keys of a customer's tokens, for ever")
        erase.add_argument("username")
        erase.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["what"] == "backup":
                self._backup(options["file"])
            else:
                self._erase(options["username"], yes=options["yes"])
        except LedgerError as error:
            raise CommandError(str(error)) from error

    def _backup(self, path: Path) -> None:
        content = keys.backup()
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        self.stdout.write(f"{len(content['keys'])} data keys written to {path}")

    def _erase(self, username: str, *, yes: bool) -> None:
        customer = User.objects.filter(username=username).first()
        if customer is None:
            raise CommandError(f"there is no user {username!r}")
        if not yes:
            answer = input(f"Destroy the data keys of {username} for ever? Type the name to go on: ")
            if answer != username:
                raise CommandError("nothing was changed")
        count = customer_erase(customer=customer)
        self.stdout.write(f"{count} sessions of {username} can no longer be read from the chain or tied to a person")
