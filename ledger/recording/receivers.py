"""The ledger's ear: what it does in the same database transaction in which sessions close or change hands."""

import uuid
from typing import Any

from django.dispatch import receiver

from accounts.models import User
from ledger.errors import MasterKeyBusy, MasterKeyMissing, RecoveryKeyError
from ledger.keys import data_keys
from ledger.recording import entries
from stations.errors import RecordingUnavailableError
from stations.models import ChargingSession, IdToken
from stations.signals import sessions_closed, sessions_moved, sessions_taken_back
from tpm.client import TpmError


@receiver(sessions_closed, dispatch_uid="ledger.entries_open")
def open_entries(sender: Any, sessions: list[ChargingSession], **kwargs: Any) -> None:
    try:
        entries.entries_open(sessions=sessions)
    except (MasterKeyMissing, MasterKeyBusy, RecoveryKeyError, TpmError) as error:
        # The first master key cannot be made yet, or its file is gone or damaged.
        raise RecordingUnavailableError(f"no data key can be made for new tokens: {error}") from error


@receiver(sessions_moved, dispatch_uid="ledger.key_close")
def key_close(sender: Any, id_token: IdToken, former: User | None, **kwargs: Any) -> None:
    """Sessions that changed hands keep their key; it must not seal anybody else's."""
    data_keys.close(id_token=id_token, customer=former)


@receiver(sessions_taken_back, dispatch_uid="ledger.entries_forget")
def entries_forget(sender: Any, session_ids: list[uuid.UUID], **kwargs: Any) -> None:
    entries.entries_forget(session_ids=session_ids)
