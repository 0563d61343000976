"""After SECRET_KEY was changed: what is sealed under an old one is sealed anew, so that the old one can go.

Each package that keeps something sealed adds its column when Django starts (`column_add`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from common.sealed_text import SealedTextError


@dataclass(frozen=True)
class Column:
    """`anew` returns a row's value sealed under SECRET_KEY, None where it is; raises SealedTextError."""

    name: str
    model: type[Model]
    field: str
    anew: Callable[[Any], str | bytes | None]


@dataclass
class Tally:
    """Rows that were read; of them sealed under an old key (and, but in a dry run, now under the new one), or lost."""

    read: int = 0
    old: int = 0
    lost: int = 0


COLUMNS: list[Column] = []


def column_add(column: Column) -> None:
    """To be called when Django starts, by the package that seals."""
    COLUMNS.append(column)


def reseal(column: Column, *, dry_run: bool = False, progress: Callable[[], object] = lambda: None) -> Tally:
    """Go through a column, row by row; safe beside a portal at work, and to be repeated."""
    tally = Tally()
    kept = column.model._default_manager.exclude(**{f"{column.field}__isnull": True})
    for row in kept.iterator(chunk_size=500):
        tally.read += 1
        progress()
        try:
            value = column.anew(row)
        except SealedTextError:
            tally.lost += 1
            continue
        if value is None:
            continue
        tally.old += 1
        if not dry_run:
            # Only where it is still what was read: somebody may have replaced it meanwhile.
            unchanged = {"pk": row.pk, column.field: getattr(row, column.field)}
            column.model._default_manager.filter(**unchanged).update(**{column.field: value})
    return tally
