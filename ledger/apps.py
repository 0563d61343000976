from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = _("Ledger")

    def ready(self) -> None:
        from ledger.keys import personal_data, seals
        from ledger.recording import receivers  # noqa: F401  connects itself to the signals of stations
        from ledger.webhooks import outbox

        personal_data.add_step()
        outbox.add_column()
        seals.add_columns()
