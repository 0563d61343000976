from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")
    default = True

    def ready(self) -> None:
        from accounts import forgetting, holdings, resealing  # their models are there now

        forgetting.add_steps()
        holdings.add_sections()
        resealing.add_columns()


class PortalAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site: every `admin.site.register` goes there."""

    default = False
    default_site = "accounts.admin_site.PortalAdminSite"
