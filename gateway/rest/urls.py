"""Addresses of the stations' REST API, under /api/v1/station/."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from api.forms import IDENTIFIER
from gateway.rest import views


class TransactionIdConverter(StringConverter):
    """Only what a start accepts; anything else never reaches the database."""

    regex = IDENTIFIER


register_converter(TransactionIdConverter, "transaction_id")

urlpatterns = [
    path("boot", views.BootView.as_view(), name="station-boot"),
    path("sessions", views.SessionsView.as_view(), name="station-sessions"),
    path("sessions/<transaction_id:transaction_id>", views.SessionView.as_view(), name="station-session"),
    path(
        "sessions/<transaction_id:transaction_id>/meter-values",
        views.MeterValuesView.as_view(),
        name="station-meter-values",
    ),
    path("sessions/<transaction_id:transaction_id>/stop", views.StopView.as_view(), name="station-stop"),
]
