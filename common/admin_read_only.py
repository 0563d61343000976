"""Rows that the portal writes and people read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from common.admin_paging import CappedPaginator


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # a generic in the stubs alone
    """What the portal writes and nobody adds to, changes or deletes by hand: long tables, not every row counted."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False
