"""Addresses of the support view's lookup; they are pages of the admin and as closed as it is."""

from django.contrib import admin
from django.urls import path

from stations import support_pages

urlpatterns = [
    path("", admin.site.admin_view(support_pages.lookup_page), name="support"),
    path("<int:customer_id>/begin", admin.site.admin_view(support_pages.begin), name="support_begin"),
    path("end", admin.site.admin_view(support_pages.end), name="support_end"),
]
