"""What the admin's pages have in common: names that stay, rows that are only read, and a log of every change."""

from typing import Any

from django.http import HttpRequest

from accounts.admin_log import Logged
from stations.paging import CappedPaginator


class NamesStay(Logged):
    """`names` are part of recorded sessions: they are given once and stay, and nothing that has them is deleted."""

    names: tuple[str, ...] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), *(self.names if obj else ())]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnly(Logged):
    """Rows that the portal writes and people read."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
