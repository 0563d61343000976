"""What the admin's pages have in common: names that stay, rows that are only read, and a log of every change."""

from typing import Any

from django.http import HttpRequest

from common.admin_log import Logged
from common.admin_paging import CappedPaginator
from common.admin_read_only import OnlyRead


class NamesStay(Logged):
    """`names` are part of recorded sessions: they are given once and stay, and nothing that has them is deleted."""

    names: tuple[str, ...] = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), *(self.names if obj else ())]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnly(OnlyRead, Logged):
    """Rows that the portal writes and people read: long tables, of which nobody counts every row."""

    paginator = CappedPaginator
