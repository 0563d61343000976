"""What everybody may fetch of the station authorities."""

from django.urls import path

from stations.certificates import pages

urlpatterns = [
    path("ca.pem", pages.roots, name="station_roots"),
    path("ca.crl", pages.revocation_list, name="station_crl"),
    path("ca-<int:pk>.crl", pages.revocation_list, name="station_crl_of"),
]
