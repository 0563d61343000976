from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")
    default = True

    def ready(self) -> None:
        from accounts import sealed_columns  # their models are there now
        from accounts.privacy import own_data, own_erasure

        own_erasure.add_steps()
        own_data.add_sections()
        sealed_columns.add_columns()


class PortalAdminConfig(admin_apps.SimpleAdminConfig):
    """Django's admin with our site. What it shows is registered where addresses are read (evportal/urls.py)."""

    default = False
    default_site = "accounts.login.admin_site.PortalAdminSite"
