"""The ledger's ear: a session that closes gets its entry in the same database transaction."""

from typing import Any

from django.dispatch import receiver

from ledger import services
from ledger.errors import MasterKeyBusy, MasterKeyMissing, RecoveryKeyError
from stations.errors import RecordingUnavailableError
from stations.models import ChargingSession
from stations.signals import sessions_closed
from tpm.client import TpmError


@receiver(sessions_closed, dispatch_uid="ledger.entries_open")
def open_entries(sender: Any, sessions: list[ChargingSession], **kwargs: Any) -> None:
    try:
        services.entries_open(sessions=sessions)
    except (MasterKeyMissing, MasterKeyBusy, RecoveryKeyError, TpmError) as error:
        # The first master key cannot be made yet, or its file is gone or damaged.
        raise RecordingUnavailableError(f"no data key can be made for new tokens: {error}") from error
