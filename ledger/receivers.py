"""The ledger's ear: a session that closes gets its entry in the same database transaction."""

from typing import Any

from django.dispatch import receiver

from ledger import services
from stations.models import ChargingSession
from stations.signals import sessions_closed


@receiver(sessions_closed, dispatch_uid="ledger.entries_open")
def open_entries(sender: Any, sessions: list[ChargingSession], **kwargs: Any) -> None:
    services.entries_open(sessions=sessions)
