from django.apps import AppConfig


class TpmConfig(AppConfig):
    name = "tpm"
    verbose_name = "TPM services"

    def ready(self) -> None:
        from tpm import deployment  # noqa: F401  registers its check
