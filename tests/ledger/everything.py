"""One who may write everything in the database: each change of each field of each row, from the models themselves."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.db import models
from django.utils import timezone

ROOT = Path(__file__).parents[2]
Model = type[models.Model]


def audited_models() -> list[Model]:
    """All tables of both apps, those between tables included."""
    return [
        model
        for app in ("ledger", "stations")
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
    ]


def exempt() -> set[str]:
    """What the short list of SECURITY.md says is not found: `ledger.Alert`, `ledger.DataKey.created_at`, …"""
    section = (ROOT / "SECURITY.md").read_text().partition("## The short list")[2].partition("\n## ")[0]
    return set(re.findall(r"`((?:ledger|stations)\.\w+(?:\.\w+)?(?: \((?:new|deleted) rows\))?)`", section))


@dataclass(frozen=True)
class Case:
    """One change; `name` is how the short list would name it."""

    name: str
    what: str
    model: Model
    values: tuple[tuple[Any, dict[str, Any]], ...] = ()  # (pk of a row, what is written there), in this order
    delete: Any = None
    insert: dict[str, Any] | None = None

    def apply(self) -> None:
        """As SQL would: no save(), no signal, no protection, no updated_at."""
        rows: models.QuerySet[Any] = models.QuerySet(self.model)
        for pk, values in self.values:
            rows.filter(pk=pk).update(**values)
        if self.delete is not None:
            rows.filter(pk=self.delete)._raw_delete(rows.db)
        if self.insert is not None:
            rows.bulk_create([self.model(**self.insert)])


def rows_of(model: Model) -> list[Any]:
    found: models.QuerySet[Any] = models.QuerySet(model)
    return list(found.order_by("pk"))


def cases() -> Iterator[Case]:
    for model in audited_models():
        rows = rows_of(model)
        for field in model._meta.concrete_fields:
            yield from _changes(model, field, rows)
        label = model._meta.label
        for row in rows:
            yield Case(f"{label} (deleted rows)", f"{row.pk} deleted", model, delete=row.pk)
            yield Case(f"{label} (new rows)", f"{row.pk} once more", model, insert=_clone(model, row))


def _changes(model: Model, field: Any, rows: list[Any]) -> Iterator[Case]:
    name = f"{model._meta.label}.{field.name}"
    for index, row in enumerate(rows):
        value = getattr(row, field.attname)
        for other in _others(field, value):
            yield Case(name, f"{row.pk}: {value!r:.60} -> {other!r:.60}", model, ((row.pk, {field.attname: other}),))
        if field.null and value is not None:
            yield Case(name, f"{row.pk}: {value!r:.60} -> NULL", model, ((row.pk, {field.attname: None}),))
        following = rows[(index + 1) % len(rows)]
        theirs = getattr(following, field.attname)
        if following.pk != row.pk and theirs != value and not field.primary_key:
            free = next(iter(_others(field, value)), None) if field.unique else value
            steps = ((row.pk, free), (following.pk, value), (row.pk, theirs))
            what = f"{row.pk} and {following.pk} swapped"
            yield Case(name, what, model, tuple((pk, {field.attname: one}) for pk, one in steps))


def _others(field: Any, value: Any) -> Iterator[Any]:
    """Values that the column takes and this row does not have."""
    if field.is_relation:
        yield from [row.pk for row in rows_of(field.related_model) if row.pk != value][:2]
        if not field.unique:
            return
    yield from [one for one in _made(field, value) if one != value]


def _made(field: Any, value: Any) -> list[Any]:
    if field.is_relation:
        return []
    if field.choices:
        return [key for key, _ in field.flatchoices]
    if isinstance(field, models.DateTimeField):
        moment = value or timezone.now()
        return [moment + timedelta(seconds=1)]
    if isinstance(field, models.BooleanField):
        return [not value]
    if isinstance(field, models.UUIDField):
        return [uuid4()]
    if isinstance(field, models.DecimalField):
        return [Decimal(value or 0) + 1]
    if isinstance(field, models.IntegerField):
        return [(value or 0) + 1]
    if isinstance(field, models.BinaryField):
        return [secrets.token_bytes(len(value) if value else 32)]
    if isinstance(field, models.JSONField):
        return [[1] if isinstance(value, dict) else {"other": "1"}, [] if value else {"id": "other"}]
    if isinstance(field, models.DateField):
        return [datetime(2001, 1, 1).date()]
    text = str(value or "")
    if field.max_length and len(text) >= field.max_length:
        return ["f" * field.max_length if text[:1] != "f" else "e" * field.max_length]
    return [f"{text}1", ""]


def _clone(model: Model, row: Any) -> dict[str, Any]:
    """The row once more, with other values where they have to be unique."""
    values = {field.attname: getattr(row, field.attname) for field in model._meta.concrete_fields}
    for field in model._meta.concrete_fields:
        value = values[field.attname]
        if field.primary_key:
            values[field.attname] = uuid4() if isinstance(value, UUID) else 10**6
        elif field.unique and not field.is_relation and value is not None:
            values[field.attname] = next(iter(_made(field, value)))
    for constraint in model._meta.constraints:
        for name in getattr(constraint, "fields", ()):
            field = next(one for one in model._meta.concrete_fields if one.name == name)
            if not field.is_relation and not field.choices:
                values[field.attname] = next(iter(_made(field, values[field.attname])))
    return values
