from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"

    def ready(self) -> None:
        from ledger import (
            holdings,
            receivers,  # noqa: F401  connects itself to the signals of stations
            webhooks,
        )

        holdings.add_all()
        webhooks.add_column()
