from django.apps import AppConfig


class StationsConfig(AppConfig):
    name = "stations"

    def ready(self) -> None:
        from stations import holdings
        from stations.ocpi import secrets

        holdings.add_all()
        secrets.add_column()
