"""What a station's page in the admin shows of its connection, its configuration page, and the way to the park."""

import csv
import io
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from stations.commands.params import V16, params_of
from stations.commands.shapes import VALUES
from stations.models import OcppMessage, Station, StationEvent, StationVariable
from stations.park.live import is_faulty
from stations.park.pages import park_view
from stations.park.refusals import refusals_waiting
from stations.park.words import ADVICE, connection_words, fault_words, gateway_address, refusal_actions

LATEST = 5


class ParkPages(admin.ModelAdmin):  # type: ignore[type-arg]  # a generic in the stubs alone
    """Adds the park, a station's configuration, and to a station's page how it is connected."""

    def get_urls(self) -> list[URLPattern]:
        """With the park, and the page of a station's configuration."""
        wrap = self.admin_site.admin_view
        park, configuration = (wrap(never_cache(require_safe(view))) for view in (park_view, self.configuration_view))
        return [
            path("park/", park, name="stations_park"),
            path("<int:pk>/configuration/", configuration, name="stations_station_configuration"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With its connection, and what it said last."""
        station = self.get_object(request, object_id)
        if isinstance(station, Station) and self.has_view_permission(request, station):
            extra_context = {**(extra_context or {}), "connection": about(station)}
        return super().change_view(request, object_id, form_url, extra_context)

    def configuration_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """All that it said of its configuration, by component; `q` looks in names and values."""
        if not request.user.has_perm("stations.view_stationvariable"):
            raise PermissionDenied
        station = get_object_or_404(Station, pk=pk)
        term = request.GET.get("q", "").replace("\0", "").strip()[:50]
        variables = StationVariable.objects.filter(station=station)
        named = Q(component__icontains=term) | Q(variable__icontains=term)
        found = variables.filter(named | Q(instance__icontains=term) | Q(value__icontains=term)) if term else variables
        rows = found.order_by("component", "component_instance", "evse_id", "connector_id", "variable", "instance")
        may_ask = request.user.has_perm("stations.add_command")
        grouped = [
            (name, [(row, change_address(row, station) if may_ask else "") for row in group])
            for name, group in groupby(rows, component_words)
        ]
        context = {**self.admin_site.each_context(request), "opts": self.opts, "station": station, "term": term}
        context |= {"components": grouped, "any": variables.exists(), "title": gettext("Configuration")}
        context["read_again"] = read_address(station) if may_ask else ""
        return render(request, "admin/stations/station/configuration.html", context)


def about(station: Station) -> dict[str, Any]:
    """What the station's page shows above its form."""
    refusals, outlets = refusals_waiting().filter(station=station), list(station.connectors.all())
    return {
        "words": connection_words(station),
        "address": gateway_address(station),
        "is_new": not station.ocpp_version and station.last_seen_at is None,
        "faults": [fault_words(one) for one in outlets if is_faulty(one)],
        "unnumbered": [one for one in outlets if station.ocpp_version and not one.emi3_id][:LATEST],
        "refusals": [(one, ADVICE[one.reason], refusal_actions(one)) for one in refusals[:LATEST]],
        "events": StationEvent.objects.filter(station=station)[:LATEST],
        "messages": OcppMessage.objects.filter(station=station).order_by("-pk")[:LATEST],
        "variables": StationVariable.objects.filter(station=station).count(),
    }


def component_words(variable: StationVariable) -> str:
    """The component with its instance, EVSE and connector; "" for the keys of OCPP 1.6."""
    parts = [variable.component, variable.component_instance]
    parts += [gettext("EVSE %(number)d") % {"number": variable.evse_id}] if variable.evse_id else []
    parts += [gettext("connector %(number)d") % {"number": variable.connector_id}] if variable.connector_id else []
    return ", ".join(filter(None, parts))


# --- changing it: the commands' page, filled in


def change_address(variable: StationVariable, station: Station) -> str:
    """Where this value is changed, filled in; "" where it cannot be."""
    if variable.mutability == "ReadOnly" or variable.attribute not in ("Actual", "Target"):
        return ""
    if not variable.component:
        params = {"key": variable.variable, "value": variable.value}
        return ask_address(station, "change_configuration", params)
    one = {
        "component": variable.component,
        "component_instance": variable.component_instance,
        "evse_id": variable.evse_id or "",
        "connector_id": variable.connector_id or "",
        "variable": variable.variable,
        "instance": variable.instance,
        "attribute": "" if variable.attribute == "Actual" else variable.attribute,
        "value": variable.value,
    }
    line = io.StringIO()
    columns = [one[param.name] for param in params_of(VALUES.members, station.ocpp_version)]
    csv.writer(line, lineterminator="").writerow(columns)
    return ask_address(station, "set_variables", {"variables": line.getvalue()})


def read_address(station: Station) -> str:
    """Where it is asked for its configuration anew; "" where it never spoke OCPP."""
    if station.ocpp_version == V16:
        return ask_address(station, "get_configuration", {})
    return ask_address(station, "get_base_report", {"report": "FullInventory"}) if station.ocpp_version else ""


def ask_address(station: Station, kind: str, filled: dict[str, Any]) -> str:
    """The page on which a command of this kind is asked of the station, filled in."""
    address = reverse("admin:stations_station_command", args=[station.pk, kind])
    return f"{address}?{urlencode(filled)}" if filled else address
