"""Many rows of a table changed at once, each to values of its own: one statement, whatever their number.

Django's bulk_update writes a CASE over all rows for each column, and its update takes longer to be put together than
the database needs to run it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, models

from common.database.inserting import Column, columns_of


def columns_update(
    model: type[models.Model],
    keys: Sequence[Any],
    values: Mapping[str, Sequence[Any]],
    *,
    where: Mapping[str, Any] | None = None,
) -> int:
    """Write these values, by attribute one list each, into the rows with these primary keys, where those are still so.

    Returns how many rows were written. A key stands in `keys` once. What follows from other columns is not looked at.
    """
    if not keys:
        return 0
    columns = columns_of(model)
    written = [columns[name] for name in values]
    still = [columns[name] for name in where or {}]
    held = [next(iter(column.adapted([value]))) for column, value in zip(still, (where or {}).values(), strict=True)]
    stored = [list(column.adapted(values[column.field.attname])) for column in written]
    key = model._meta.pk
    assert key is not None
    quoted = connection.ops.quote_name
    table = quoted(model._meta.db_table)
    more = "".join(f" AND {table}.{quoted(column.name)} = %s" for column in still)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = ", ".join(["pk", *(f"v{place}" for place in range(len(written)))])
            types = [key.rel_db_type(connection), *map(_type, written)]
            lists = ", ".join(f"%s::{kind}[]" for kind in types)
            told = ", ".join(f"{quoted(one.name)} = new.v{at}{_back(one)}" for at, one in enumerate(written))
            statement = f"UPDATE {table} SET {told} FROM unnest({lists}) AS new({names})"  # noqa: S608  # our own names
            cursor.execute(
                f"{statement} WHERE {table}.{quoted(str(key.column))} = new.pk{more}", [list(keys), *stored, *held]
            )
        else:
            pks = [key.get_db_prep_value(pk, connection) for pk in keys]
            told = ", ".join(f"{quoted(one.name)} = %s" for one in written)
            statement = f"UPDATE {table} SET {told} WHERE {table}.{quoted(str(key.column))} = %s{more}"  # noqa: S608
            cursor.executemany(statement, [(*row, pk, *held) for *row, pk in zip(*stored, pks, strict=True)])
        return int(cursor.rowcount)


def _type(column: Column) -> str:
    """As which PostgreSQL reads it: texts as text, as a cast to a shorter one would cut them without a word."""
    if isinstance(column.field, models.CharField | models.TextField | models.JSONField):
        return "text"
    return str(column.field.db_type(connection))


def _back(column: Column) -> str:
    return "::jsonb" if isinstance(column.field, models.JSONField) else ""
