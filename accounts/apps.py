from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class AccountsConfig(AppConfig):
    name = "accounts"
    default = True


class PortalAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site: every `admin.site.register` goes there."""

    default = False
    default_site = "accounts.admin_site.PortalAdminSite"
