from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = _("Ledger")

    def ready(self) -> None:
        from ledger import (
            holdings,
            receivers,  # noqa: F401  connects itself to the signals of stations
            seals,
            webhooks,
        )

        holdings.add_all()
        webhooks.add_column()
        seals.add_columns()
