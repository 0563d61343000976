"""REST for people and programs: sites, stations, connectors, cards. Operators add and change the first three."""

from typing import Any

from django.db.models import Q, QuerySet
from rest_framework import exceptions

from accounts.models import Program
from api.lists import ChangeView, DetailView, ListView, NewRowView, RowsView, row_save
from stations.models import Connector, IdToken, Site, Station, Tariff
from stations.rest import serializers as forms
from stations.rest.filters import ConnectorFilter, IdTokenFilter, StationFilter

READ, WRITE = "stations.read", "stations.write"
NEW_SCOPES, CHANGE_SCOPES = {"GET": READ, "POST": WRITE}, {"GET": READ, "PATCH": WRITE}


class SitesView(NewRowView, ListView):
    queryset = Site.objects.all()
    serializer_class, body_class = forms.SiteSerializer, forms.NewSiteBody
    scopes, rights = NEW_SCOPES, {"POST": "stations.add_site"}
    operations = {"GET": "sites_list", "POST": "sites_create"}
    address_name, address_field = "api-site", "code"

    def create(self, body: dict[str, Any]) -> Site:
        """A program that sees chosen sites makes none: 403."""
        user: Any = self.request.user
        if isinstance(user, Program) and not user.client.all_sites:
            raise exceptions.PermissionDenied("this program sees chosen sites only and makes none")
        made: Site = row_save(Site(), body, taken="there is a site with this code")
        return made


class SiteView(ChangeView):
    queryset = Site.objects.all()
    serializer_class, body_class = forms.SiteSerializer, forms.SiteBody
    scopes, rights = CHANGE_SCOPES, {"PATCH": "stations.change_site"}
    operations = {"GET": "sites_get", "PATCH": "sites_update"}


class StationBodies(RowsView):
    """A station is put at a site that the caller sees; another is none."""

    def with_site(self, body: dict[str, Any]) -> dict[str, Any]:
        """The site by its code; one that the caller may not see is none."""
        if "site" not in body:
            return body
        site = Site.objects.visible_to(self.request.user).filter(code=body["site"]).first()
        if site is None:
            raise exceptions.ValidationError({"site": ["there is no such site that you may see"]})
        return {**body, "site": site}


class StationsView(StationBodies, NewRowView, ListView):
    queryset = Station.objects.select_related("site")
    serializer_class, body_class = forms.StationSerializer, forms.NewStationBody
    filterset_class = StationFilter
    scopes, rights = NEW_SCOPES, {"POST": "stations.add_station"}
    operations = {"GET": "stations_list", "POST": "stations_create"}
    address_name, address_field = "api-station", "identity"

    def create(self, body: dict[str, Any]) -> Station:
        """409 where another has this identity."""
        made: Station = row_save(Station(), self.with_site(body), taken="there is a station with this identity")
        return made


class StationView(StationBodies, ChangeView):
    queryset = Station.objects.select_related("site")
    serializer_class, body_class = forms.StationSerializer, forms.StationBody
    scopes, rights = CHANGE_SCOPES, {"PATCH": "stations.change_station"}
    operations = {"GET": "stations_get", "PATCH": "stations_update"}

    def change(self, row: Any, body: dict[str, Any]) -> None:
        """Also to another site that the caller sees."""
        super().change(row, self.with_site(body))


class ConnectorsView(NewRowView, ListView):
    queryset = Connector.objects.select_related("station__site")
    serializer_class, body_class = forms.ConnectorSerializer, forms.NewConnectorBody
    filterset_class = ConnectorFilter
    scopes, rights = NEW_SCOPES, {"POST": "stations.add_connector"}
    operations = {"GET": "connectors_list", "POST": "connectors_create"}
    address_name = "api-connector"

    def create(self, body: dict[str, Any]) -> Connector:
        """At a station that the caller sees; 409 where it has one of these numbers."""
        stations = Station.objects.visible_to(self.request.user).select_related("site")
        station = stations.identified(body["station"]).first()
        if station is None:
            raise exceptions.ValidationError({"station": ["there is no such station that you may see"]})
        taken = "the station has a connector with these numbers"
        made: Connector = row_save(Connector(), {**body, "station": station}, taken=taken)
        return made


class ConnectorView(ChangeView):
    queryset = Connector.objects.select_related("station__site")
    serializer_class, body_class = forms.ConnectorSerializer, forms.ConnectorBody
    scopes, rights = CHANGE_SCOPES, {"PATCH": "stations.change_connector"}
    operations = {"GET": "connectors_get", "PATCH": "connectors_update"}


class TariffRows(RowsView):
    """Staff see all tariffs, others those of the sites and outlets that they see."""

    queryset = Tariff.objects.all()
    serializer_class = forms.TariffSerializer

    def visible(self) -> QuerySet[Tariff]:
        """Those that hold where the caller sees something."""
        user: Any = self.request.user
        everything = user.client.all_sites if isinstance(user, Program) else user.has_perm("stations.view_tariff")
        if everything:
            return Tariff.objects.all()
        at_sites = Site.objects.visible_to(user).filter(tariff__isnull=False).values("tariff")
        at_outlets = Connector.objects.visible_to(user).filter(tariff__isnull=False).order_by().values("tariff")
        return Tariff.objects.filter(Q(pk__in=at_sites.order_by()) | Q(pk__in=at_outlets))


class TariffsView(TariffRows, NewRowView, ListView):
    body_class = forms.NewTariffBody
    scopes = {"GET": "tariffs.read", "POST": "tariffs.write"}
    rights, operations = {"POST": "stations.add_tariff"}, {"GET": "tariffs_list", "POST": "tariffs_create"}
    address_name, address_field = "api-tariff", "code"

    def create(self, body: dict[str, Any]) -> Tariff:
        """A program that sees chosen sites makes none: 403."""
        user: Any = self.request.user
        if isinstance(user, Program) and not user.client.all_sites:
            raise exceptions.PermissionDenied("this program sees chosen sites only and makes no tariffs")
        made: Tariff = row_save(Tariff(), body, taken="there is a tariff with this code, or it ends before it begins")
        return made


class TariffView(TariffRows, ChangeView):
    body_class = forms.TariffBody
    scopes = {"GET": "tariffs.read", "PATCH": "tariffs.write"}
    rights, operations = {"PATCH": "stations.change_tariff"}, {"GET": "tariffs_get", "PATCH": "tariffs_update"}

    def change(self, row: Any, body: dict[str, Any]) -> None:
        """403 for a program where the tariff holds elsewhere, too."""
        user: Any = self.request.user
        if isinstance(user, Program) and not user.client.all_sites and self.holds_elsewhere(row, user):
            raise exceptions.PermissionDenied("this tariff holds at sites, too, that this program does not see")
        super().change(row, body)

    @staticmethod
    def holds_elsewhere(tariff: Tariff, user: Program) -> bool:
        """Whether it holds somewhere that the program does not see."""
        sites = Site.objects.filter(tariff=tariff).exclude(pk__in=Site.objects.visible_to(user).order_by().values("pk"))
        seen = Connector.objects.visible_to(user).order_by().values("pk")
        return sites.exists() or Connector.objects.filter(tariff=tariff).exclude(pk__in=seen).exists()


class IdTokensView(ListView):
    queryset = IdToken.objects.all()
    serializer_class, filterset_class = forms.IdTokenSerializer, IdTokenFilter
    scopes, operations = {"GET": "tokens.read"}, {"GET": "tokens_list"}


class IdTokenView(DetailView):
    queryset = IdToken.objects.all()
    serializer_class = forms.IdTokenSerializer
    scopes, operations = {"GET": "tokens.read"}, {"GET": "tokens_get"}
