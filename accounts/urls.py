"""Addresses for logging in and out."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from accounts import pages

urlpatterns = [
    path("login", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("theme", pages.theme_set, name="theme"),
]
