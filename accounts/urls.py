"""Addresses for logging in and out."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from accounts import pages, privacy_pages

urlpatterns = [
    path("login", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("theme", pages.theme_set, name="theme"),
    path("my-data", privacy_pages.my_data_page, name="my_data"),
    path("my-data/archive", privacy_pages.archive_ask_page, name="archive_ask"),
    path("my-data/archive/<int:archive_id>.zip", privacy_pages.archive_file, name="archive"),
    path("my-data/delete", privacy_pages.delete_page, name="delete_account"),
    path("deleted", privacy_pages.deleted_page, name="deleted"),
]
