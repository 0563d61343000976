"""Commands in the admin: a list that only reads, each with its whole outcome, which comes by itself."""

import json
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.privacy.admin_looks import NotesLooks
from common.admin_read_only import ReadOnly
from stations.commands.kinds import KINDS
from stations.commands.requesting import params_shown
from stations.commands.station_pages import AT_ONCE_MAX, RIGHT
from stations.commands.sweeping import command_cancel
from stations.commands.words import kind_words, who_words
from stations.models import Command, LocalList, Reservation

# After a yes these go on for a while, and their page with them.
GOES_ON = {"update_firmware", "get_log", "publish_firmware"}
GOES_ON_FOR = timedelta(hours=2)


class KindFilter(admin.SimpleListFilter):
    title, parameter_name = _("command"), "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """By its words."""
        return [(kind.name, kind.words) for kind in KINDS.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Command]) -> QuerySet[Command]:
        """Of this kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Command)
class CommandAdmin(NotesLooks, ReadOnly):
    customer_path = "session__customer"
    change_form_template = "admin/stations/command/change_form.html"
    list_display = ("asked", "station", "what", "state", "words", "who", "progress")
    list_display_links = ("asked",)
    list_filter = ("state", "by", KindFilter)
    list_select_related = ("station", "user", "client", "session")
    search_fields = ("station__identity", "kind", "words", "message_id", "user__username")
    search_help_text = _("Station, command, outcome, message ID or who asked")
    date_hierarchy = "asked_at"
    fields: ClassVar[tuple[str, ...]] = ()
    actions = None

    @admin.display(description=_("asked, UTC"), ordering="id")
    def asked(self, command: Command) -> str:
        """To the second, UTC."""
        return f"{command.asked_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description=_("command"), ordering="kind")
    def what(self, command: Command) -> str:
        """In words."""
        return kind_words(command)

    @admin.display(description=_("asked by"))
    def who(self, command: Command) -> str:
        """A person, a program, or the portal."""
        return who_words(command)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """All that is known of one; while something is still to come, it comes by itself."""
        command = self.get_object(request, object_id)
        if command is not None and self.has_view_permission(request, command):
            extra_context = {**(extra_context or {}), **self._whole(request, command)}
        return super().change_view(request, object_id, form_url, extra_context)

    def _whole(self, request: HttpRequest, command: Command) -> dict[str, Any]:
        kind = KINDS.get(command.kind)
        return {
            "command": command,
            "title": kind_words(command),
            "subtitle": None,
            "moves": moves(command),
            "who": who_words(command),
            "params": _json(params_shown(command, kind)),
            "answer": _json(command.answer) if command.answer is not None else "",
            "may_cancel": command.state == Command.State.WAITING and request.user.has_perm(RIGHT),
            "may_ask": kind is not None and not kind.own and request.user.has_perm(RIGHT),
        }

    def get_urls(self) -> list[URLPattern]:
        """With cancelling, and the page on which several are followed."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/cancel/", view(require_POST(self.cancel_view)), name="stations_command_cancel"),
            path("together/", view(never_cache(self.together_view)), name="stations_command_together"),
            *super().get_urls(),
        ]

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take it back, if it still waits."""
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        command = get_object_or_404(Command, pk=pk)
        done = command_cancel(command)
        text = gettext("It is cancelled.") if done else gettext("It was sent already, or is over.")
        self.message_user(request, text)
        return HttpResponseRedirect(reverse("admin:stations_command_change", args=[pk]))

    def together_view(self, request: HttpRequest) -> HttpResponse:
        """How far each of several is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        wanted = [int(pk) for pk in request.GET.getlist("id")[:AT_ONCE_MAX] if pk.isdecimal() and len(pk) < 19]
        rows = Command.objects.filter(pk__in=wanted).select_related("station", "session", "user", "client")
        found = list(rows.order_by("station__identity", "pk"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("Commands to several stations"),
            "rows": [(command, kind_words(command)) for command in found],
            "over": sum(not command.is_open for command in found),
            "moves": any(moves(command) for command in found),
        }
        return render(request, "admin/stations/command/together.html", context)


def moves(command: Command) -> bool:
    """Whether something is still to come of it."""
    begun = command.answered_at is not None and command.answered_at > timezone.now() - GOES_ON_FOR
    goes_on = command.state == Command.State.ACCEPTED and command.kind in GOES_ON and begun
    return command.is_open or goes_on


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@admin.register(Reservation)
class ReservationAdmin(NotesLooks, ReadOnly):
    customer_path = "id_token__customer"
    list_display = ("station", "number", "evse_id", "id_token", "group", "expires_at", "state")
    list_filter = ("state",)
    list_select_related = ("station", "id_token")
    search_fields = ("station__identity", "=number", "id_token__uid")
    fields = ("station", "number", "evse_id", "connector_id", "id_token", "group", "expires_at", "state", "changed_at")
    readonly_fields = fields


@admin.register(LocalList)
class LocalListAdmin(ReadOnly):
    list_display = ("station", "version", "cards", "changed_at")
    list_select_related = ("station",)
    search_fields = ("station__identity",)
    fields = ("station", "version", "changed_at", "cards")
    readonly_fields = fields

    @admin.display(description=_("cards"))
    def cards(self, row: LocalList) -> int:
        """How many."""
        return len(row.entries)
