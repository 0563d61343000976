from django.apps import AppConfig


class PortalConfig(AppConfig):
    """What a driver sees; has no models of its own."""

    name = "portal"

    def ready(self) -> None:
        """Adds the receipts to the archive of "My data"."""
        from portal import personal_data

        personal_data.add_section()
