"""What an operator asks of a station in the admin: the panel on its page, a form for each kind, several at once."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from common.admin_log import Logged
from stations.commands.form import CommandForm
from stations.commands.kind import Kind
from stations.commands.kinds import KINDS, kinds_of
from stations.commands.requesting import command_request
from stations.errors import CommandRefusedError
from stations.models import Command, Station

RIGHT = "stations.add_command"
AT_ONCE_MAX = 100
LATEST = 20


def themes_of(kinds: list[Kind]) -> list[tuple[Any, list[Kind]]]:
    """The kinds by theme, as they stand in the table."""
    found: dict[Any, list[Kind]] = {}
    for kind in kinds:
        found.setdefault(kind.theme, []).append(kind)
    return list(found.items())


class Commandable(Logged):
    """Adds to a station's pages what can be asked of it."""

    def get_urls(self) -> list[URLPattern]:
        """With the pages of commands."""
        pages: list[tuple[str, Any, str]] = [
            ("<int:pk>/commands/", self.commands_view, "commands"),
            ("<int:pk>/commands/<str:name>/", self.command_view, "command"),
            ("commands/together/", self.together_view, "commands_together"),
        ]
        made = [
            path(route, self.admin_site.admin_view(never_cache(view)), name=f"stations_station_{name}")
            for route, view, name in pages
        ]
        return [*made, *super().get_urls()]

    def commands_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What its version knows, by theme, and what was asked last."""
        station = get_object_or_404(Station.objects.select_related("site"), pk=pk)
        if not request.user.has_perm("stations.view_command"):
            raise PermissionDenied
        latest = Command.objects.filter(station=station).select_related("user", "client", "session")[:LATEST]
        may = request.user.has_perm(RIGHT) and station.enabled
        context = self._context(request, station, gettext("Commands"))
        context |= {"themes": themes_of(kinds_of(station.ocpp_version)) if may else [], "latest": latest}
        return render(request, "admin/stations/station/commands.html", context)

    def command_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """The form of one kind; what cannot be undone is asked once more; then the command's own page."""
        station = get_object_or_404(Station.objects.select_related("site"), pk=pk)
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        kind = kind_get(name)
        filled = {"initial": request.GET.dict()}  # a link may fill it in: nothing is asked before somebody says so
        form = CommandForm(kind, request.POST or None, version=station.ocpp_version, station=station, **filled)
        confirming = False
        if request.method == "POST" and "change" not in request.POST and form.is_valid():
            confirming = bool(kind.effect) and "confirmed" not in request.POST
            if not confirming and (command := self._ask(request, station, kind, form)):
                return HttpResponseRedirect(reverse("admin:stations_command_change", args=[command.pk]))
        context = self._context(request, station, kind.words)
        context |= {"kind": kind, "form": form, "confirming": confirming}
        return render(request, "admin/stations/station/command.html", context)

    def _ask(self, request: HttpRequest, station: Station, kind: Kind, form: CommandForm) -> Command | None:
        assert isinstance(request.user, User)  # the admin lets nobody else in
        who: dict[str, Any] = {"by": Command.By.OPERATOR, "user": request.user, "valid_for": form.valid_for}
        try:
            with transaction.atomic():
                command = command_request(station=station, kind=kind, params=form.params, **who)
                self.log_words(request, station, f"Asked: {kind.name}, command {command.pk}.")
        except CommandRefusedError as error:
            form.add_error(None, gettext("It cannot be asked: %(error)s.") % {"error": error})
            return None
        return command

    def _context(self, request: HttpRequest, station: Station, title: Any) -> dict[str, Any]:
        shared = self.admin_site.each_context(request)
        return {**shared, "opts": self.opts, "station": station, "title": title}

    # --- several at once

    @admin.action(description=_("Ask these stations something"), permissions=["command"])
    def ask_together(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse | None:
        """Leads to the page on which the kind is chosen."""
        chosen = list(queryset.order_by("identity").values_list("pk", flat=True)[: AT_ONCE_MAX + 1])
        if len(chosen) > AT_ONCE_MAX:
            text = gettext("Choose at most %(count)d at once.") % {"count": AT_ONCE_MAX}
            self.message_user(request, text, messages.WARNING)
            return None
        address = reverse("admin:stations_station_commands_together")
        return HttpResponseRedirect(f"{address}?{urlencode([('station', pk) for pk in chosen])}")

    def has_command_permission(self, request: HttpRequest) -> bool:
        """Who may ask stations something."""
        return request.user.has_perm(RIGHT)

    def together_view(self, request: HttpRequest) -> HttpResponse:
        """Choose the kind, fill in its form, confirm with the names of all; then how far each is."""
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        wanted = [int(pk) for pk in request.GET.getlist("station")[:AT_ONCE_MAX] if pk.isdecimal() and len(pk) < 19]
        stations = list(Station.objects.filter(pk__in=wanted).order_by("identity"))
        if not stations:
            raise Http404("no stations were chosen")
        context = {**self.admin_site.each_context(request), "opts": self.opts, "stations": stations}
        name = request.GET.get("kind", "")
        if not name:
            themes = themes_of([kind for kind in kinds_of("") if kind.at_once])
            context |= {"themes": themes, "title": gettext("Ask several stations"), "query": request.GET.urlencode()}
            return render(request, "admin/stations/station/together.html", context)
        kind = kind_get(name)
        form = CommandForm(kind, request.POST or None)
        confirming = request.method == "POST" and "change" not in request.POST and form.is_valid()
        if confirming and "confirmed" in request.POST:
            return self._asked_together(request, stations, kind, form)
        context |= {"kind": kind, "form": form, "confirming": confirming, "title": kind.words}
        return render(request, "admin/stations/station/together.html", context)

    def _asked_together(
        self, request: HttpRequest, stations: list[Station], kind: Kind, form: CommandForm
    ) -> HttpResponse:
        asked = []
        for station in stations:
            form.errors.clear()
            if command := self._ask_one(request, station, kind, form):
                asked.append(command.pk)
        address = reverse("admin:stations_command_together")
        return HttpResponseRedirect(f"{address}?{urlencode([('id', pk) for pk in asked])}")

    def _ask_one(self, request: HttpRequest, station: Station, kind: Kind, form: CommandForm) -> Command | None:
        """One that cannot be asked is named, the others are asked."""
        command = self._ask(request, station, kind, form)
        if command is None:
            words = " ".join(str(error) for error in form.non_field_errors())
            self.message_user(request, f"{station.identity}: {words}", messages.WARNING)
        return command


def kind_get(name: str) -> Kind:
    """A kind that people may ask; 404 for any other."""
    kind = KINDS.get(name)
    if kind is None or kind.own:
        raise Http404(f"no command {name[:40]!a}")
    return kind
