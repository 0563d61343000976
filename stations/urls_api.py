"""Addresses of the stations' REST API, under /api/v1/station/."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from stations import api
from stations.serializers import IDENTIFIER


class TransactionIdConverter(StringConverter):
    """Only what a start accepts; anything else never reaches the database."""

    regex = IDENTIFIER


register_converter(TransactionIdConverter, "transaction_id")

urlpatterns = [
    path("sessions", api.SessionsView.as_view(), name="station-sessions"),
    path("sessions/<transaction_id:transaction_id>", api.SessionView.as_view(), name="station-session"),
    path(
        "sessions/<transaction_id:transaction_id>/meter-values",
        api.MeterValuesView.as_view(),
        name="station-meter-values",
    ),
    path("sessions/<transaction_id:transaction_id>/stop", api.StopView.as_view(), name="station-stop"),
]
