"""All addresses of the portal."""

from django.contrib import admin
from django.urls import include, path, re_path

from evportal.openapi import pages

handler400 = "evportal.problems.bad_request"
handler403 = "evportal.problems.forbidden"
handler404 = "evportal.problems.not_found"
handler500 = "evportal.problems.server_error"

# Here and not in every process: workers and gateways have no pages, and would import the admin's modules for nothing.
admin.autodiscover()

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("portal.urls")),
    path("", include("stations.cards.urls")),
    path("admin/support/", include("stations.support.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/station/", include("gateway.rest.urls")),
    path("ocpi/", include("stations.ocpi.urls")),
    path("ocpp/", include("stations.certificates.urls")),
    path("api/v1/", include("evportal.urls_api")),
    re_path("^api(/|$)", pages.NothingView.as_view()),
]
