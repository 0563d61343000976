"""Addresses of the support view's lookup; they are pages of the admin and as closed as it is."""

from django.contrib import admin
from django.urls import path

from stations.support import pages

urlpatterns = [
    path("", admin.site.admin_view(pages.lookup_page), name="support"),
    path("<int:customer_id>/begin", admin.site.admin_view(pages.begin), name="support_begin"),
    path("end", admin.site.admin_view(pages.end), name="support_end"),
]
