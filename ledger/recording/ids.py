"""Ledger ids: drawn by the database, and never below what the chain has already."""

from django.db import connection, transaction
from django.utils.translation import gettext

from ledger.errors import LedgerError
from ledger.models import LedgerEntry

LAST_ID = (1 << 63) - 1  # of a BigAutoField


@transaction.atomic
def ids_above(last: int) -> None:
    """Have the next new entry get an id above `last`; ids that are drawn higher already stay so."""
    if not 0 <= last < LAST_ID:
        text = gettext("the chain's highest ledger id is %(id)s: no id above it fits into the database")
        raise LedgerError(text % {"id": last})
    table = LedgerEntry._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Nobody draws an id between the look and the change: an insert has to wait for this lock.
            cursor.execute(f'LOCK TABLE "{table}" IN SHARE ROW EXCLUSIVE MODE')
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
            (sequence,) = cursor.fetchone()
            behind = "last_value < %s OR (last_value = %s AND NOT is_called)"
            sql = f"SELECT setval('{sequence}', %s) FROM {sequence} WHERE {behind}"  # noqa: S608  the database's own name
            cursor.execute(sql, [last, last, last])
        else:
            cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s AND seq < %s", [last, table, last])
            absent = "NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = %s)"
            cursor.execute(
                f"INSERT INTO sqlite_sequence (name, seq) SELECT %s, %s WHERE {absent}", [table, last, table]
            )


def next_id() -> int:
    """Draw the next id, as a new entry would get it."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [LedgerEntry._meta.db_table])
        else:
            sql = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = %s RETURNING seq"
            cursor.execute(sql, [LedgerEntry._meta.db_table])
        return int(cursor.fetchone()[0])
