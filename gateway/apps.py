from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GatewayConfig(AppConfig):
    """Without models: for `manage.py gateway`."""

    name = "gateway"
    verbose_name = _("Gateway")
