"""What a change of a row was, field by field: before and after. Kept in Django's LogEntry, which nobody can edit here.

The message is Django's own JSON with one more name, `values`: [{"field": …, "before": …, "after": …}]. It is stored in
English; what can be said in the reader's language is when it is shown: names of fields and what was done to them.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils import translation
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

NOTHING = "–"
NOT_SHOWN = gettext_noop("(not shown)")
VERBS = {"added": _("added"), "changed": _("changed"), "deleted": _("deleted")}
TEXT_MAX = 300
# Parts of the names of fields whose values nobody may read in a log.
SECRET_PARTS = frozenset({"password", "secret", "hash", "credential", "salt", "wrapped", "key", "digest", "sealed"})

Values = dict[str, Any]
Change = dict[str, str]


class Line(NamedTuple):
    """A line of the log as it is shown; `language` where it is stored and shown in that one, "" in the reader's."""

    text: str
    language: str = ""


def secret(field: Any) -> bool:
    """Bytes, and what is called like a secret: the log says that it changed, not from what to what."""
    return isinstance(field, models.BinaryField) or bool(SECRET_PARTS & set(field.name.split("_")))


def values_of(row: models.Model) -> Values:
    """The row's values now, to be compared with those after a change: {field: value}; many-to-many as sorted texts."""
    found: Values = {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}
    with translation.override("en"):
        for many in row._meta.many_to_many:
            found[many.name] = sorted(map(str, getattr(row, many.name).all())) if row.pk else []
    return found


def changes_between(row: models.Model, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs, in the order of the model's fields."""
    fields = [*row._meta.concrete_fields, *row._meta.many_to_many]
    with translation.override("en"):  # as it is stored, whoever makes the change
        return [
            {
                "field": field.name,
                "before": text_of(field, before.get(field.name)),
                "after": text_of(field, after[name]),
            }
            for field in fields
            if (name := field.name) in after
            and before.get(name) != after[name]
            and not getattr(field, "auto_now", False)
        ]


def _clock(field: Any) -> bool:
    """Set by each save: the log has its own time."""
    return bool(getattr(field, "auto_now", False))


def text_of(field: Any, value: Any) -> str:
    """A value as the log keeps it: a related row by its words and number, a secret not at all."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if secret(field):
        return NOT_SHOWN
    if isinstance(field, models.ForeignKey):
        return _related(field, value)
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"


def _related(field: Any, value: Any) -> str:
    row = field.related_model._default_manager.filter(**{field.target_field.name: value}).first()
    return f"{row} ({value})" if row else str(value)


def message_of(changes: list[Change], *, words: str = "") -> list[dict[str, Any]]:
    """The change as Django's LogEntry keeps it; `words` say what was done where that is more than setting fields."""
    changed: dict[str, Any] = {"fields": [change["field"] for change in changes], "values": changes}
    return [{"changed": changed | ({"words": words} if words else {})}]


def change_write(*, by: AbstractUser, row: models.Model, changes: list[Change], words: str) -> None:
    """Log what was done to a row where no page of the admin does it."""
    message = message_of(changes, words=words)
    with translation.override("en"):  # what the row is called is stored, and read by all
        LogEntry.objects.log_actions(by.pk, [row], CHANGE, message, single_object=True)


def command_line() -> Any:
    """In whose name a command changes rows where it is not told another: an account that nobody logs in to."""
    defaults = {"is_active": False, "password": make_password(None)}
    return get_user_model()._default_manager.get_or_create(username="(command line)", defaults=defaults)[0]


def change_lines(entry: LogEntry) -> list[Line]:
    """An entry of the log in lines: "vendor: Acme → Beta", "Set a new credential."."""
    try:
        parts = json.loads(entry.change_message or "[]")
    except ValueError:
        return [Line(entry.change_message, "en")]  # a text, as Django allows it
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        return [Line(entry.change_message, "en")]
    model = entry.content_type.model_class() if entry.content_type else None
    return [line for part in parts for line in _lines(part, model)]


def _lines(part: Mapping[str, Any], model: type[models.Model] | None) -> list[Line]:
    verb, content = next(iter(part.items()), ("changed", {}))
    if not isinstance(content, dict):
        return [Line(f"{verb}: {content}")]
    subject = f"{gettext(content['name'])} {content['object']}: " if "object" in content else ""
    done = str(VERBS.get(verb, verb))
    lines = [Line(f"{subject}{content['words']}", "en")] if content.get("words") else []
    if verb != "changed":
        lines.append(Line(f"{subject}{done}" if subject else capfirst(done)))
    values = content.get("values", [])
    lines += [Line(f"{subject}{_change_shown(value, model)}") for value in values]
    if verb == "changed" and not values and content.get("fields"):
        lines.append(Line(f"{subject}{done}: {', '.join(map(_label_shown, content['fields']))}"))
    return lines


def _change_shown(change: Mapping[str, str], model: type[models.Model] | None) -> str:
    before, after = (gettext(value) if value == NOT_SHOWN else value for value in (change["before"], change["after"]))
    return f"{field_shown(change['field'], model)}: {before} → {after}"


def field_shown(name: str, model: type[models.Model] | None) -> str:
    """The field as it is called on the model's pages; one that is there no more, by its name."""
    try:
        return str(getattr(model._meta.get_field(name), "verbose_name", name)) if model else name
    except FieldDoesNotExist:
        return name


def _label_shown(label: str) -> str:
    """A label that Django has stored in English, with a capital: it is that of a form."""
    found = gettext(label)
    if found != label:
        return found
    name = label[:1].lower() + label[1:]
    return capfirst(gettext(name))
