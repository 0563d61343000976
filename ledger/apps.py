from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = _("Ledger")

    def ready(self) -> None:
        from ledger.keys import personal_data, seals
        from ledger.operations import station_keys
        from ledger.recording import receivers  # noqa: F401  connects itself to the signals of stations
        from ledger.webhooks import (
            delivery,
            outbox,  # noqa: F401  connects itself to the ledger's own signal
        )

        personal_data.add_step()
        delivery.add_column()
        seals.add_columns()
        station_keys.register_keys()
