"""What the database keeps in English, whoever reads it (errors of the chain, what differs), marked so on its page."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def english(page: "admin.ModelAdmin[Any]", text: str) -> SafeString:
    """The text marked as English, or the page's mark for nothing."""
    return format_html('<span lang="en">{}</span>', text) if text else page.get_empty_value_display()


def in_english(field: str, description: "StrOrPromise") -> Callable[[Any, Any], SafeString]:
    """Return an admin class's column for a field whose text is English: screen readers pronounce it so."""

    @admin.display(description=description, ordering=field)
    def shown(page: "admin.ModelAdmin[Any]", row: Any) -> SafeString:
        return english(page, getattr(row, field))

    return shown
