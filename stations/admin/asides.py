"""What stations said and was not taken, in the admin: read, and settled by whoever has seen to it."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from stations.admin.actions import asked_first
from stations.charging.asides import aside_settle
from stations.models import SetAside


class OpenFilter(admin.SimpleListFilter):
    title, parameter_name = _("settled"), "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What nobody has seen to yet, or the rest."""
        return [("yes", gettext("Not yet")), ("no", gettext("Settled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SetAside]) -> QuerySet[SetAside]:
        """The rows that the choice means."""
        if self.value() in {"yes", "no"}:
            return queryset.filter(settled_at__isnull=self.value() == "yes")
        return queryset


@admin.register(SetAside)
class SetAsideAdmin(ReadOnly, Logged):
    """How often, since when, why, and the last example as it came."""

    list_display = ("station", "kind", "subject", "count", "last_at", "reason", "settled_at")
    list_filter = (OpenFilter, "kind", "station__site")
    list_select_related = ("station",)
    search_fields = ("subject", "station__identity")
    date_hierarchy = "last_at"
    actions = ("settle",)

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Who runs the stations."""
        return request.user.has_perm("stations.change_setaside")

    @admin.action(description=_("Settled: somebody has seen to it"), permissions=["settle"])
    def settle(self, request: HttpRequest, queryset: QuerySet[SetAside]) -> HttpResponse | None:
        """Off the home page, until the station says it again."""
        return asked_first(
            self,
            request,
            queryset.select_related("station"),
            question=gettext("Are these settled?"),
            effect=gettext(
                "They leave the home page, and come back when the station says it again. A start that contradicts an "
                "older charge is taken as a charge of its own then."
            ),
            words=_("Settled."),
            act=lambda row: aside_settle(row=row, by=cast(User, request.user)),
        )
