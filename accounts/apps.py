from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import forgetting, holdings  # their models are there now

        forgetting.add_steps()
        holdings.add_sections()
