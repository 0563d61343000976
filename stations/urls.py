"""Addresses of the driver's pages about his cards."""

from django.urls import path

from stations import token_pages

urlpatterns = [
    path("tokens", token_pages.tokens_page, name="tokens"),
    path("tokens/<int:token_id>/unlink", token_pages.token_unlink_page, name="token_unlink"),
]
