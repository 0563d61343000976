"""The database put back from an older backup while the chain has gone on: what docs/ledger.md says is done here."""

import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from dev.parts.postgres import program
from dev.trials.portal_stack import PortalStack

RESTORE_WITHIN_S = 120.0


class OlderBackup:
    """A backup of the database; the data keys' own is made as late as possible, as docs/ledger.md says."""

    def __init__(self, stack: PortalStack, path: Path) -> None:
        self._stack, self._path = stack, path
        if stack.postgres:
            _run("pg_dump", "--format=custom", "--file", str(path), stack.postgres.url)
        else:
            _copy(stack.directory / "portal.sqlite3", path)

    def put_back(self) -> None:
        """Nobody else may be at the database."""
        from django.db import connections

        connections.close_all()
        if self._stack.postgres:
            arguments = ["--clean", "--if-exists", "--single-transaction", "--dbname", self._stack.postgres.url]
            _run("pg_restore", *arguments, str(self._path))
        else:
            _copy(self._path, self._stack.directory / "portal.sqlite3")


def keys_back_up(path: Path) -> None:
    from django.core.management import call_command

    path.unlink(missing_ok=True)
    call_command("ledger_keys", "backup", str(path))


def ledger_restore(keys: Path) -> None:
    """`manage.py ledger_restore`, again and again until TPM and chain are there for it."""
    from django.core.management import CommandError, call_command

    end = time.monotonic() + RESTORE_WITHIN_S
    while True:
        try:
            call_command("ledger_restore", "--keys", str(keys))
        except CommandError:
            if time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            return


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def _run(name: str, *arguments: str) -> None:
    subprocess.run([program(name), *arguments], check=True, stdin=subprocess.DEVNULL)
