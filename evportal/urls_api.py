"""Addresses of the REST API under /api/v1/, besides those for stations."""

from typing import Any

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from api.me import MeView
from evportal.openapi import pages
from ledger.webhooks import rest as webhook_rest
from portal.rest import views
from stations.commands import rest as commands
from stations.load.rest import LimitView
from stations.rest import ocpp
from stations.rest import views as places


class RowNameConverter(StringConverter):
    """A code or identity, without what no database takes."""

    regex = r"[^/\x00-\x1f\x7f]{1,64}"


class RowNumberConverter:
    regex = "[0-9]{1,18}"  # fits a bigint

    def to_python(self, value: str) -> int:
        """At most as many digits as a row's number has."""
        return int(value)

    def to_url(self, value: Any) -> str:
        """In digits."""
        return str(value)


register_converter(RowNameConverter, "row_name")
register_converter(RowNumberConverter, "row_number")

urlpatterns = [
    path("openapi.json", pages.OpenApiView.as_view(), name="api-openapi"),
    path("docs", pages.docs_page, name="api-docs"),
    path("me", MeView.as_view(), name="api-me"),
    path("sites", places.SitesView.as_view(), name="api-sites"),
    path("sites/<row_name:code>", places.SiteView.as_view(), name="api-site"),
    path("sites/<row_name:code>/limit", LimitView.as_view(), name="api-site-limit"),
    path("stations", places.StationsView.as_view(), name="api-stations"),
    path("stations/<row_name:identity>", places.StationView.as_view(), name="api-station"),
    path("stations/<row_name:identity>/messages", ocpp.StationMessagesView.as_view(), name="api-station-messages"),
    path("stations/<row_name:identity>/events", ocpp.StationEventsView.as_view(), name="api-station-events"),
    path("stations/<row_name:identity>/variables", ocpp.StationVariablesView.as_view(), name="api-station-variables"),
    path("stations/<row_name:identity>/commands", commands.StationCommandsView.as_view(), name="api-station-commands"),
    path("commands/<row_number:number>", commands.CommandView.as_view(), name="api-command"),
    path("connectors", places.ConnectorsView.as_view(), name="api-connectors"),
    path("connectors/<row_number:number>", places.ConnectorView.as_view(), name="api-connector"),
    path("tariffs", places.TariffsView.as_view(), name="api-tariffs"),
    path("tariffs/<row_name:code>", places.TariffView.as_view(), name="api-tariff"),
    path("tokens", places.IdTokensView.as_view(), name="api-tokens"),
    path("tokens/<row_number:number>", places.IdTokenView.as_view(), name="api-token"),
    path("sessions", views.SessionsView.as_view(), name="api-sessions"),
    path("sessions/<uuid:id>", views.SessionView.as_view(), name="api-session"),
    path("sessions/<uuid:id>/meter-values", views.MeterValuesView.as_view(), name="api-meter-values"),
    path("sessions/<uuid:id>/ledger", views.EntryView.as_view(), name="api-session-ledger"),
    path("sessions/<uuid:id>/receipt", views.ReceiptView.as_view(), name="api-receipt"),
    path("sessions/<uuid:id>/proof", views.ProofView.as_view(), name="api-proof"),
    path("statements", views.StatementsView.as_view(), name="api-statements"),
    path("ledger", views.LedgerView.as_view(), name="api-ledger"),
    path("webhooks", webhook_rest.WebhooksView.as_view(), name="api-webhooks"),
    path("webhooks/<uuid:id>", webhook_rest.WebhookView.as_view(), name="api-webhook"),
    path("webhooks/<uuid:id>/secret", webhook_rest.WebhookSecretView.as_view(), name="api-webhook-secret"),
    path("webhooks/<uuid:id>/ping", webhook_rest.WebhookPingView.as_view(), name="api-webhook-ping"),
    path("webhooks/<uuid:id>/deliveries", webhook_rest.DeliveriesView.as_view(), name="api-deliveries"),
]
