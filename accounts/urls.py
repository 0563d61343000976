"""Addresses for logging in and out, the second factor, and what people set for themselves."""

from django.urls import path

from accounts.login import pages as login
from accounts.login import preferences, second_factor_pages, security_pages
from accounts.privacy import pages as privacy_pages
from accounts.programs import pages

urlpatterns = [
    path("login", login.login_page, name="login"),
    path("login/start", login.login_start, name="login_start"),
    path("login/callback", login.login_callback, name="login_callback"),
    path("logout", login.logout, name="logout"),
    path("theme", preferences.reading_set, name="theme"),
    path("second-factor", second_factor_pages.second_factor_page, name="second_factor"),
    path("second-factor/set-up", second_factor_pages.enrol_page, name="second_factor_enrol"),
    path("second-factor/recovery", second_factor_pages.recovery_page, name="second_factor_recovery"),
    path("security", security_pages.security_page, name="security"),
    path("security/tokens", pages.tokens_page, name="api_tokens"),
    path("security/tokens/<int:pk>/revoke", pages.token_revoke_page, name="api_token_revoke"),
    path("security/reading", security_pages.reading_page, name="security_reading"),
    path("security/recovery-codes", security_pages.recovery_codes_page, name="security_recovery_codes"),
    path("security/devices/<int:pk>/forget", security_pages.device_forget, name="security_device_forget"),
    path("my-data", privacy_pages.my_data_page, name="my_data"),
    path("my-data/archive", privacy_pages.archive_ask_page, name="archive_ask"),
    path("my-data/archive/<int:archive_id>.zip", privacy_pages.archive_file, name="archive"),
    path("my-data/delete", privacy_pages.delete_page, name="delete_account"),
    path("deleted", privacy_pages.deleted_page, name="deleted"),
]
