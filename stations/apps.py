from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StationsConfig(AppConfig):
    name = "stations"
    verbose_name = _("Stations")

    def ready(self) -> None:
        from stations import correction, holdings
        from stations.ocpi import secrets

        holdings.add_all()
        secrets.add_column()
        correction.add_column()
