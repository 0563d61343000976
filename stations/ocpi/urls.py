"""Addresses of OCPI, under /ocpi/. Lists may be asked for with a slash at the end, too, as OCPI's examples do."""

from django.urls import path

from stations.ocpi import views

LISTS = {
    "versions": views.VersionsView,
    "2.2.1": views.DetailsView,
    "2.2.1/credentials": views.CredentialsView,
    "2.2.1/locations": views.LocationsView,
    "2.2.1/tariffs": views.TariffsView,
    "2.2.1/sessions": views.SessionsView,
    "2.2.1/cdrs": views.CdrsView,
}
LOCATION = "2.2.1/locations/<str:location_id>"


def name_of(route: str) -> str:
    return "ocpi-details" if route == "2.2.1" else f"ocpi-{route.removeprefix('2.2.1/')}"


urlpatterns = [
    *(path(route, view.as_view(), name=name_of(route)) for route, view in LISTS.items()),
    *(path(f"{route}/", view.as_view()) for route, view in LISTS.items()),
    path(LOCATION, views.LocationView.as_view(), name="ocpi-location"),
    path(f"{LOCATION}/<str:evse_uid>", views.LocationView.as_view(), name="ocpi-evse"),
    path(f"{LOCATION}/<str:evse_uid>/<str:connector_id>", views.LocationView.as_view(), name="ocpi-connector"),
    path("<path:rest>", views.UnknownView.as_view(), name="ocpi-unknown"),
]
