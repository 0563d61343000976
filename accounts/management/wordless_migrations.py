"""Migrations hold what the database is told, and no words: another label makes no migration.

Django's own autodetector compares every argument of a field. Ours leaves out, on both sides, what only forms, pages and
the admin read. `makemigrations` and `migrate` use it (accounts/management/commands; Django checks that both use one).
"""

from typing import Any

from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState
from django.db.models import Field

# Validators too: the database never hears of them, their messages are words, and they would name our modules.
FIELD_WORDS = frozenset({"verbose_name", "help_text", "choices", "error_messages", "validators"})
MODEL_WORDS = frozenset({"verbose_name", "verbose_name_plural"})


class WordlessAutodetector(MigrationAutodetector):
    """Compares models without their words, and so writes migrations without them."""

    def __init__(
        self, from_state: ProjectState, to_state: ProjectState, questioner: MigrationQuestioner | None = None
    ) -> None:
        super().__init__(wordless(from_state), wordless(to_state), questioner)


def wordless(state: ProjectState) -> ProjectState:
    """A copy of a project's state of which no field and no model has words."""
    state = state.clone()
    for model in state.models.values():
        model.fields = {name: _field_wordless(field) for name, field in model.fields.items()}
        model.options = {name: value for name, value in model.options.items() if name not in MODEL_WORDS}
    return state


def _field_wordless(field: "Field[Any, Any]") -> "Field[Any, Any]":
    _, _, arguments, keywords = field.deconstruct()
    return type(field)(*arguments, **{name: value for name, value in keywords.items() if name not in FIELD_WORDS})
