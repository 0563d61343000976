from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TpmConfig(AppConfig):
    name = "tpm"
    verbose_name = _("TPM services")

    def ready(self) -> None:
        from tpm import deployment  # noqa: F401  registers its check
