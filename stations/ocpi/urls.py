"""Addresses of OCPI, under /ocpi/, each version's alike. Lists may be asked for with a slash at the end, too, as OCPI's
examples do."""

from django.urls import URLPattern, path

from stations.ocpi import views
from stations.ocpi.forms import Version

LISTS = {
    "": views.DetailsView,
    "credentials": views.CredentialsView,
    "locations": views.LocationsView,
    "tariffs": views.TariffsView,
    "sessions": views.SessionsView,
    "cdrs": views.CdrsView,
}
LOCATION = "locations/<str:location_id>"
PARTS = (LOCATION, f"{LOCATION}/<str:evse_uid>", f"{LOCATION}/<str:evse_uid>/<str:connector_id>")


def of_version(version: Version) -> list[URLPattern]:
    """All that there is of a version."""
    lists = {f"{version}/{route}".rstrip("/"): (views.url_name(version, route), view) for route, view in LISTS.items()}
    return [
        *(path(route, view.as_view(ocpi_version=version), name=name) for route, (name, view) in lists.items()),
        *(path(f"{route}/", view.as_view(ocpi_version=version)) for route, (_name, view) in lists.items()),
        *(path(f"{version}/{part}", views.LocationView.as_view(ocpi_version=version)) for part in PARTS),
    ]


urlpatterns = [
    path("versions", views.VersionsView.as_view(), name="ocpi-versions"),
    path("versions/", views.VersionsView.as_view()),
    *(pattern for version in Version for pattern in of_version(version)),
    path("<path:rest>", views.UnknownView.as_view(), name="ocpi-unknown"),
]
