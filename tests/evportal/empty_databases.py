"""Empty databases beside the tests' own, and what a database is made of, as lines to compare."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import dj_database_url
from django.db import connection, connections

Result = TypeVar("Result")


class Database:
    """What runs in it finds it under the name `default`, as in a process of its own."""

    def __init__(self, url: str) -> None:
        self._settings = connections.settings["default"] | {"OPTIONS": {}} | dj_database_url.parse(url)

    def run(self, work: Callable[[], Result]) -> Result:
        """In a thread, which has connections of its own."""

        def closing() -> Result:
            try:
                return work()
            finally:
                connections.close_all()

        kept = connections.settings["default"]
        connections.settings["default"] = self._settings
        try:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(closing).result()
        finally:
            connections.settings["default"] = kept


# Columns in their order, for a dump without column names is read in it.
POSTGRESQL = {
    "column": """
        SELECT c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attcollation::regcollation::text,
               pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d
             ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraint": """
        SELECT conrelid::regclass::text, conname, contype, condeferrable, condeferred, convalidated,
               pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    """,
    "sequence": "SELECT sequencename, data_type::text FROM pg_sequences WHERE schemaname = 'public'",
}


def schema() -> list[str]:
    """Everything in the database `default`: the catalogue of PostgreSQL, `sqlite_master` of SQLite."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'")
            return sorted(f"{kind} {name} {_normal(sql)}" for kind, name, sql in cursor.fetchall())
        found = []
        for kind, query in POSTGRESQL.items():
            cursor.execute(query)
            found += [f"{kind} {row}" for row in cursor.fetchall()]
        return sorted(found)


def _normal(sql: str | None) -> str:
    """A statement with the table's parts sorted: SQLite makes tables anew, and a column to itself goes to their end."""
    sql = re.sub(r"\s+", " ", sql or "")
    if not sql.startswith("CREATE TABLE"):
        return sql
    head, _, rest = sql.partition("(")
    body, _, tail = rest.rpartition(")")
    return f"{head.strip()} ({', '.join(sorted(part.strip() for part in _split(body)))}){tail}"


def _split(body: str) -> list[str]:
    """The parts between those commas that stand in no parentheses."""
    parts, depth = [""], 0
    for character in body:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
