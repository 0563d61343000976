"""How a station connects, and by what it is known: the page of a new charger, its password, certificates and roots."""

from typing import cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.models import User
from common.admin_log import NamesStay
from common.change_log import values_of
from stations.admin.actions import asked_first
from stations.certificates import authority, telling
from stations.certificates.rotation import credential_rotate
from stations.models import InstalledRoot, NextCredential, Station
from stations.park.words import gateway_address
from stations.places.credentials import station_credential_set

SHOWN = 10


class Securable(NamesStay):
    """Adds to a station's page how it connects, and to the list what many are asked at once."""

    @admin.action(description=_("Install the root certificates"), permissions=["change"])
    def install_roots(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse | None:
        """Before the next authority signs, its root has to be on all of them."""
        trusted, user = authority.trusted(), cast(User, request.user)
        return asked_first(
            self,
            request,
            queryset,
            question=gettext("Have these stations install our root certificates?"),
            effect=gettext("Each is told when it is there: %(names)s.")
            % {"names": ", ".join(str(root) for root in trusted) or gettext("there is no authority yet")},
            words=_("Asked to install the root certificates."),
            act=lambda station: [telling.root_install(station=station, root=root, by=user) for root in trusted],
        )

    @admin.action(description=_("Have them request certificates"), permissions=["change"])
    def request_certificates(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse | None:
        """As each does by itself when its certificate runs out."""
        user = cast(User, request.user)
        return asked_first(
            self,
            request,
            queryset,
            question=gettext("Have these stations request certificates?"),
            effect=gettext("Each makes a new key and sends a request when it is there. What it has now stays good."),
            words=_("Asked to request a certificate."),
            act=lambda station: telling.certificate_ask(station=station, by=user),
        )

    def get_urls(self) -> list[URLPattern]:
        """With the page that makes a credential, and the one about connecting."""
        views = {"credential": self.credential_view, "connecting": self.connecting_view}
        ours = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(never_cache(view)), name=f"stations_station_{name}")
            for name, view in views.items()
        ]
        return [*ours, *super().get_urls()]

    def credential_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask once, then make a new credential and show it this once, with all that is entered in the station."""
        station = self._station(request, pk)
        context = {**self.admin_site.each_context(request), "station": station, "opts": self.opts}
        if request.method == "POST":
            before = values_of(station)
            credential = station_credential_set(station=station)
            context |= {"credential": credential, "credential_hex": credential.encode().hex()}
            context |= {"address": gateway_address(), "whole_address": gateway_address(station)}
            self.log_values(request, station, before, "Set a new credential.")
        return render(request, "admin/stations/station/credential.html", context)

    def connecting_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What to enter, what it has, and what it can be asked to do about it."""
        station = self._station(request, pk)
        if request.method == "POST":
            done = self._do(request, station)
            if done:
                self.message_user(request, done)
            return HttpResponseRedirect(reverse("admin:stations_station_connecting", args=[station.pk]))
        trusted = authority.trusted()
        installed = {row.authority_id: row for row in InstalledRoot.objects.filter(station=station)}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "station": station,
            "address": gateway_address(),
            "whole_address": gateway_address(station),
            "organization": authority.organization(),
            "following": NextCredential.objects.filter(station=station).first(),
            "certificates": station.certificates.all()[:SHOWN],
            "requests": station.certificate_requests.exclude(state="ISSUED")[:SHOWN],
            "roots": [(root, installed.get(root.pk)) for root in trusted],
        }
        return render(request, "admin/stations/station/connecting.html", context)

    def _do(self, request: HttpRequest, station: Station) -> str:
        """What was pressed; in words what follows."""
        user = cast(User, request.user)
        what, _, which = request.POST.get("do", "").partition(":")
        if what == "rotate":
            credential_rotate(station=station, by=user)
            self.log_words(request, station, "Asked it to use a new credential.")
            return gettext("The station is told when it is there. Until it has used the new one, both let it in.")
        if what == "ask":
            telling.certificate_ask(station=station, by=user)
            self.log_words(request, station, "Asked it to request a certificate.")
            return gettext("The station is asked to request a certificate when it is there.")
        root = next((root for root in authority.trusted() if what == "install" and str(root.pk) == which), None)
        if root is None:
            return ""
        telling.root_install(station=station, root=root, by=user)
        self.log_words(request, station, f"Asked it to install the root {root}.")
        return gettext("The station is asked to install this root when it is there.")

    def _station(self, request: HttpRequest, pk: int) -> Station:
        station = get_object_or_404(Station, pk=pk)
        if not self.has_change_permission(request, station):
            raise PermissionDenied
        return station
