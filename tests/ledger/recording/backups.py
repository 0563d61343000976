"""Backups of the whole database as an operator makes them: pg_dump and pg_restore, or the file of SQLite."""

import os
import shutil
import subprocess
from pathlib import Path

from django.db import connection, connections

from dev.parts.postgres import program


def backup(path: Path) -> Path:
    """Write the database as it is now to `path`."""
    if connection.vendor == "postgresql":
        _postgres("pg_dump", "--format=custom", f"--file={path}")
    else:
        connections.close_all()
        shutil.copy(_file(), path)
    return path


def put_back(path: Path) -> None:
    """The database is again what it was then, sequences included."""
    connections.close_all()
    if connection.vendor == "postgresql":
        _postgres("pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", str(path))
    else:
        shutil.copy(path, _file())


def _file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _postgres(name: str, *arguments: str) -> None:
    there = connection.settings_dict
    place = [f"--host={there['HOST']}", f"--port={there['PORT']}", f"--username={there['USER']}"]
    environment = {**os.environ, "PGPASSWORD": str(there["PASSWORD"])}
    command = [program(name), *place, f"--dbname={there['NAME']}", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
