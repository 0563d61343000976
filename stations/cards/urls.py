"""Addresses of the driver's pages about their cards."""

from django.urls import path

from stations.cards import pages

urlpatterns = [
    path("tokens", pages.tokens_page, name="tokens"),
    path("tokens/<int:token_id>/unlink", pages.token_unlink_page, name="token_unlink"),
]
