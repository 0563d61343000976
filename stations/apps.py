from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StationsConfig(AppConfig):
    name = "stations"
    verbose_name = _("Stations")

    def ready(self) -> None:
        from stations import personal_data
        from stations.load import receivers
        from stations.models import corrections
        from stations.ocpi import secrets
        from stations.vehicles import holding

        personal_data.add_all()
        secrets.add_column()
        corrections.add_column()
        receivers.connect()
        holding.add_all()
