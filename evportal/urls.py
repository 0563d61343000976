"""All addresses of the portal."""

from django.contrib import admin
from django.urls import include, path, re_path

from evportal import api

handler400 = "evportal.problems.bad_request"
handler403 = "evportal.problems.forbidden"
handler404 = "evportal.problems.not_found"
handler500 = "evportal.problems.server_error"

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("ledger.urls")),
    path("", include("stations.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/station/", include("stations.urls_api")),
    path("ocpi/", include("stations.ocpi.urls")),
    path("api/v1/", include("evportal.api_urls")),
    re_path("^api(/|$)", api.NothingView.as_view()),
]
