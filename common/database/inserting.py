"""Many new rows into a table at once: COPY where the database is PostgreSQL, else one statement for all of them.

Django's bulk_create makes an expression of every value and a placeholder for it, which together take several times as
long as what the database itself does with the rows.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import connection, models

Take = Callable[[Any], Any]
Adapt = Callable[[Any], Any] | None

# What a driver takes as it stands on the attribute.
TEXT_AND_NUMBERS = (models.CharField, models.TextField, models.IntegerField, models.BooleanField, models.BinaryField)
DRIVER_TAKES = {"postgresql": (*TEXT_AND_NUMBERS, models.DateField, models.UUIDField, models.DecimalField)}


@dataclass(frozen=True)
class Column:
    """`take`: its value from a row; `adapt` makes what the driver stores of it, None where it is the same."""

    field: "models.Field[Any, Any]"
    take: Take
    adapt: Adapt

    @property
    def name(self) -> str:
        """In the table."""
        return str(self.field.column)

    def adapted(self, values: Iterable[Any]) -> Iterable[Any]:
        """What the driver stores of these."""
        adapt = self.adapt
        return values if adapt is None else [None if value is None else adapt(value) for value in values]

    def default(self, count: int) -> Iterable[Any]:
        """The same of its default, so often."""
        return list(self.adapted([self.field.get_default()])) * count


def rows_insert(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model, as bulk_create does; what the database refuses is the same error.

    Keys that the database gives are not brought back: they stay None.
    """
    if not rows:
        return
    columns = _columns(type(rows[0]), connection.vendor)
    _insert(type(rows[0]), columns, zip(*(column.adapted(map(column.take, rows)) for column in columns), strict=True))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def columns_insert(model: type[models.Model], values: Mapping[str, Sequence[Any]]) -> None:
    """The same of values by attribute, one list each, without a row's object; what is not named has its default."""
    count, columns = len(next(iter(values.values()))), _columns(model, connection.vendor)
    if count:
        given = ((values.get(column.field.attname), column) for column in columns)
        stored = (column.default(count) if found is None else column.adapted(found) for found, column in given)
        _insert(model, columns, zip(*stored, strict=True))


def _insert(model: type[models.Model], columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> None:
    quoted = connection.ops.quote_name
    into = f"{quoted(model._meta.db_table)} ({', '.join(quoted(column.name) for column in columns)})"
    if connection.vendor == "postgresql":
        _copied(f"COPY {into} FROM STDIN", rows)
    else:
        places = ", ".join(["%s"] * len(columns))
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {into} VALUES ({places})", list(rows))  # noqa: S608  # our own names


def _copied(statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """The server stores the first rows while the last ones are on their way."""
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        write = copy.write_row
        for row in rows:
            write(row)


@cache
def _columns(model: type[models.Model], vendor: str) -> tuple[Column, ...]:
    """Every column but the keys that the database gives."""
    fields = [field for field in model._meta.local_concrete_fields if not isinstance(field, models.AutoField)]
    return tuple(Column(field, _taker(field), _adapter(field, vendor)) for field in fields)


def columns_of(model: type[models.Model]) -> Mapping[str, Column]:
    """The same by attribute."""
    return {column.field.attname: column for column in _columns(model, connection.vendor)}


def _taker(field: "models.Field[Any, Any]") -> Take:
    """From the attribute, unless the field decides its value when it is stored."""
    if isinstance(field, models.DateField | models.TimeField):
        plain = not (field.auto_now or field.auto_now_add)
    else:
        plain = type(field).pre_save is models.Field.pre_save
    return attrgetter(field.attname) if plain else lambda row: field.pre_save(row, add=True)


def _adapter(field: "models.Field[Any, Any]", vendor: str) -> Adapt:
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(field, models.JSONField):
        encoder = field.encoder
        return lambda value: json.dumps(value, cls=encoder)
    if vendor == "sqlite" and isinstance(field, models.UUIDField):
        return attrgetter("hex")
    if vendor == "sqlite" and isinstance(field, models.DateTimeField):
        zone = connection.timezone
        return lambda value: value.astimezone(zone).replace(tzinfo=None).isoformat(" ")
    if isinstance(field, DRIVER_TAKES.get(vendor, TEXT_AND_NUMBERS)):
        return None
    return lambda value: field.get_db_prep_save(value, connection)
