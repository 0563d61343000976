"""The tests' databases: migrated once a run, and empty again after each test.

The process that hands out tests to pytest-xdist's workers makes a PostgreSQL cluster with a migrated database, and a
migrated SQLite file, while the workers collect; each of them begins with copies (tests/environment.py).
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import psycopg
from django.db import connection
from psycopg import sql

from dev.parts.postgres import Postgres

ROOT = Path(__file__).parents[1]
MIGRATED = "migrated"  # the database's name
KEPT = {"django_content_type", "auth_permission"}  # rows that follow from the models, and that Django would make again


class Prepared:
    """What is made once, in a directory that all of a run's processes know."""

    def __init__(self, directory: Path) -> None:
        self.cluster = Postgres(directory / "postgres")
        self.sqlite = directory / "migrated.sqlite3"
        self._done = directory / "complete"
        self._failed = directory / "failed"

    def begin(self) -> None:
        """Make it beside what this process does meanwhile; PostgreSQL's password is known at once."""
        self.cluster.choose_password()
        Thread(target=self._make, daemon=True).start()

    def wait(self) -> None:
        """Until it is there; raises RuntimeError with what went wrong."""
        while not self._done.exists():
            if self._failed.exists():
                raise RuntimeError(self._failed.read_text())
            time.sleep(0.05)

    def _make(self) -> None:
        try:
            self.cluster.start()
            create(self.cluster.url, MIGRATED)
            migrate(database_of(self.cluster.url, MIGRATED))
            self.cluster.stop()
            migrate(f"sqlite:///{self.sqlite}")
            self._done.touch()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._failed.write_text(repr(error))


def database_of(url: str, name: str) -> str:
    """The address of another database of the same server."""
    return f"{url.rpartition('/')[0]}/{name}"


def create(url: str, name: str, *, template: str = "template1") -> None:
    """Make a database, as a copy of one that nobody is connected to."""
    with psycopg.connect(url, autocommit=True) as server:
        names = sql.Identifier(name), sql.Identifier(template)
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))


def migrate(url: str) -> None:
    """Bring a database to the models' state, in a process of its own."""
    environment = {**os.environ, "EVPORTAL_DATABASE_URL": url}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"migrate: status {done.returncode}\n{done.stdout}{done.stderr}")


def empty() -> None:
    """Delete all rows of the models' tables, without looking at those that have none.

    Django truncates every table after each test, makes the rows of KEPT again, and takes half a second for it.
    """
    tables = sorted({*connection.introspection.django_table_names(only_existing=True, include_views=False)} - KEPT)
    with connection.cursor() as cursor:
        cursor.execute(_which_have_rows(tables))
        if found := [name for (name,) in cursor.fetchall()]:
            cursor.execute("SET session_replication_role = replica")  # no foreign keys: what refers to a row goes too
            for name in found:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")  # noqa: S608
            cursor.execute("SET session_replication_role = DEFAULT")


def _which_have_rows(tables: Sequence[str]) -> str:
    asked = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})" for name in tables)  # noqa: S608
    return " UNION ALL ".join(asked)
