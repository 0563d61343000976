"""The change log in the admin: every change with before and after, and a list of all of them that only reads."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import models
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext_lazy as _

from common.admin_read_only import ReadOnly
from common.change_log import NOTHING, VERBS, Values, changes_between, message_of, values_of


class Logged(admin.ModelAdmin):  # type: ignore[type-arg]  # a generic in the stubs alone
    """Logs each change with the values before and after, whoever made it: form, action or a page of its own."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A time is typed in the portal's zone, whose name stands beside it."""
        if isinstance(db_field, models.DateTimeField):
            zone = timezone.get_current_timezone_name()
            kwargs.setdefault("label", format_lazy("{}, {}", capfirst(db_field.verbose_name), zone))
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Of a row that is not there yet nothing is told, only asked."""
        fields = super().get_fields(request, obj)
        return fields if obj else [name for name in fields if name not in self.readonly_fields]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row, with what it was before the form is saved."""
        row = super().get_object(request, object_id, from_field)
        if row is not None and request.method == "POST":
            row._values_before = values_of(row)
        return row

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Django's message, and in it what was there before and after."""
        parts: Any = super().construct_change_message(request, form, formsets, add)
        row = getattr(form, "instance", None)
        if not isinstance(row, models.Model) or not isinstance(parts, list):
            return parts
        after = values_of(self.model._default_manager.get(pk=row.pk))
        changes = changes_between(row, {} if add else getattr(row, "_values_before", {}), after)
        inlines = [part for part in parts if any("object" in content for content in part.values())]
        if add:
            return [{"added": {"values": [change for change in changes if change["after"] != NOTHING]}}, *inlines]
        return [*(message_of(changes) if changes else []), *inlines]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        """In English, whoever adds: what the row is called is stored, and read by all."""
        with translation.override("en"):  # what the row is called is stored, and read by all
            return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        """In English, whoever changes."""
        with translation.override("en"):
            return super().log_change(request, obj, message)

    def log_values(self, request: HttpRequest, row: models.Model, before: Values, words: str) -> None:
        """Log what an action or a page of its own did to a row; `before` is values_of(row) from before."""
        after = values_of(type(row)._default_manager.get(pk=row.pk))
        self.log_change(request, row, message_of(changes_between(row, before, after), words=words))

    def log_words(self, request: HttpRequest, row: models.Model, words: str) -> None:
        """Log something that was done and changed no field of the row."""
        self.log_change(request, row, message_of([], words=words))


@admin.register(LogEntry)
class ChangeLogAdmin(ReadOnly):
    """Who changed what, when, from what to what. Nobody adds to it, changes it or deletes from it by hand."""

    list_display = ("when", "user", "verb", "kind", "object_link", "what")
    list_display_links = ("when",)
    list_filter = ("action_flag", ("content_type", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "content_type")
    search_fields = ("user__username", "object_repr", "=object_id", "change_message")
    search_help_text = _("Who, the object's name or id, or a value before or after")
    date_hierarchy = "action_time"
    fields = ("when", "user", "verb", "kind", "object_link", "object_id", "what")
    readonly_fields = fields
    actions = None

    @admin.display(description=_("when, UTC"), ordering="action_time")
    def when(self, entry: LogEntry) -> str:
        """To the second, UTC."""
        return f"{entry.action_time:%Y-%m-%d %H:%M:%S}"

    @admin.display(description=_("did"), ordering="action_flag")
    def verb(self, entry: LogEntry) -> str:
        """Added, changed or deleted, in the reader's language."""
        return str(VERBS["added" if entry.is_addition() else "deleted" if entry.is_deletion() else "changed"])

    @admin.display(description=_("kind"), ordering="content_type")
    def kind(self, entry: LogEntry) -> str:
        """What kind of row it was; "–" where the model is gone."""
        return str(entry.content_type.name) if entry.content_type else "–"

    @admin.display(description=_("object"))
    def object_link(self, entry: LogEntry) -> str | SafeString:
        """What it was called, as a link where it is there still."""
        try:
            address = entry.get_admin_url()
        except NoReverseMatch:
            address = None
        return format_html('<a href="{}">{}</a>', address, entry.object_repr) if address else entry.object_repr

    @admin.display(description=_("from what to what"))
    def what(self, entry: LogEntry) -> SafeString:
        """Field by field, before and after."""
        return render_to_string("admin/_change.html", {"entry": entry})


class NamesStay(Logged):
    """`names` are part of recorded sessions: they are given once and stay, and nothing that has them is deleted."""

    names: tuple[str, ...] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """The names too, once they are given."""
        return [*super().get_readonly_fields(request, obj), *(self.names if obj else ())]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: recorded sessions name it."""
        return False
