"""The parts of the running service, made from the settings when they are first needed, one of each a process."""

import atexit
from functools import cache

from tpm.service import settings
from tpm.service.attestations import Evidence
from tpm.service.device import Device
from tpm.service.idempotency import IdempotentAnswers
from tpm.service.keys import KeyStore
from tpm.service.sealed import SealedStore
from tpm.service.turn import Turn


@cache
def device() -> Device:
    """The one TPM; when the process ends, nothing of it stays in the TPM."""
    turn = Turn(places=settings.TPM_QUEUE_PLACES, deadline_s=settings.TPM_QUEUE_DEADLINE_S)
    made = Device(settings.TPM_TCTI, turn)
    atexit.register(made.close)
    return made


@cache
def key_store() -> KeyStore:
    return KeyStore(settings.TPM_KEY_DIR, device())


@cache
def sealed_store() -> SealedStore:
    return SealedStore(settings.TPM_KEY_DIR / "sealed", device())


def evidence() -> Evidence:
    """Return what the service can say of itself now."""
    return Evidence()


@cache
def idempotent_answers() -> IdempotentAnswers:
    return IdempotentAnswers()
