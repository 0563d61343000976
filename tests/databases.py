"""The tests' databases: migrated once, kept until migrations or packages change, and empty again after each test.

The process that begins a run makes a PostgreSQL cluster with a migrated database, and a migrated SQLite file, below
var/tests, if they are not there; it, or each of its workers, begins with copies (tests/environment.py).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

import psycopg
from django.db import connection
from psycopg import sql

from dev.parts.postgres import Postgres, program

ROOT = Path(__file__).parents[1]
KEPT_BELOW = ROOT / "var" / "tests"
FORGOTTEN_S = 7 * 24 * 3600
MIGRATED = "migrated"  # the database's name
KEPT = {"django_content_type", "auth_permission"}  # rows that follow from the models, and that Django would make again


def place() -> Path:
    """Where the databases are that these migrations make with these packages."""
    digest = hashlib.sha256(f"{sys.version} {program('postgres')}".encode())
    migrations = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("[a-z]*/*/migrations/*.py")]
    for path in sorted([*migrations, ROOT / "evportal" / "settings.py", ROOT / "constraints.txt"]):
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return KEPT_BELOW / digest.hexdigest()[:16]


class Prepared:
    """What is made once, in a directory that all processes of a run know."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = Postgres(directory / "postgres")
        self.sqlite = directory / "migrated.sqlite3"
        self._done = directory / "complete"

    def begin(self) -> None:
        """Make it beside what this process does meanwhile; PostgreSQL's password is known at once."""
        self.cluster.choose_password()
        if not self._done.exists():
            Thread(target=self._try, daemon=True).start()

    def wait(self) -> None:
        """Until it is there. If whoever began it failed or died, it is made here, and what is wrong is raised here."""
        if self._done.exists():
            return
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._done.exists():
                self._make()

    def _try(self) -> None:
        with suppress(Exception):  # whoever waits for it tries again, and says what is wrong
            self.wait()

    def _make(self) -> None:
        self.cluster.discard()
        self.sqlite.unlink(missing_ok=True)
        self.cluster.start()
        try:
            create(self.cluster.url, MIGRATED)
            migrate(database_of(self.cluster.url, MIGRATED))
        finally:
            self.cluster.stop()
        migrate(f"sqlite:///{self.sqlite}")
        self._done.touch()
        for other in KEPT_BELOW.glob("*/complete"):
            if time.time() - other.stat().st_mtime > FORGOTTEN_S:
                shutil.rmtree(other.parent, ignore_errors=True)


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
