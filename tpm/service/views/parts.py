"""The parts of the running service, made from the settings when they are first needed, one of each a process."""

import atexit
from functools import cache

from tpm.service import settings
from tpm.service.device.connection import HierarchyAuths
from tpm.service.device.device import Device
from tpm.service.door.idempotency import IdempotentAnswers
from tpm.service.integrity.attestations import Evidence
from tpm.service.integrity.integrity import Integrity, ReleaseSettings
from tpm.service.keys.audit import AuditLog
from tpm.service.keys.audit_check import Head
from tpm.service.keys.sealed import SealedStore
from tpm.service.keys.store import KeyStore
from tpm.service.turn import Turn


def start() -> None:
    """Measure, and read what is kept: whatever is wrong with it ends the start, not the first request."""
    integrity().start(device())
    key_store()
    sealed_store()
    audit_log()


@cache
def integrity() -> Integrity:
    """Whether this process is what was approved; measures all files when it is made, which takes seconds."""
    if settings.TPM_MEASURE == "off":
        return Integrity(None)
    return Integrity(
        ReleaseSettings(
            directory=settings.TPM_RELEASE_DIR,
            key_file=settings.TPM_RELEASE_KEY,
            measured_pcr=settings.TPM_MEASURED_PCR,
            host_pcrs=settings.TPM_HOST_PCRS,
            full_pass_s=settings.TPM_FULL_PASS_S,
        )
    )


@cache
def device() -> Device:
    """The one TPM; when the process ends, nothing of it stays in the TPM."""
    turn = Turn(places=settings.TPM_QUEUE_PLACES, deadline_s=settings.TPM_QUEUE_DEADLINE_S)
    auths = HierarchyAuths(settings.TPM_OWNER_AUTH.encode(), settings.TPM_ENDORSEMENT_AUTH.encode())
    made = Device(settings.TPM_TCTI, turn, integrity().measured, auths)
    atexit.register(made.close)
    return made


@cache
def key_store() -> KeyStore:
    """The keys, read from the volume when it is made; what is no key's file there keeps the others from nothing."""
    return KeyStore(settings.TPM_KEY_DIR, device())


@cache
def sealed_store() -> SealedStore:
    """The sealed objects, in a directory of their own beside the keys."""
    return SealedStore(settings.TPM_KEY_DIR / "sealed", device())


@cache
def audit_log() -> AuditLog:
    """The log of key uses, locked for this process; nothing is done with a key that it cannot write down first."""
    made = AuditLog(settings.TPM_KEY_DIR / "audit")
    atexit.register(made.close)
    return made


@cache
def log_turn() -> Turn:
    """For reading the log of key uses: one at a time, or whoever may attest could keep all threads at it."""
    return Turn(places=2, deadline_s=settings.TPM_QUEUE_DEADLINE_S)


def evidence(last: Head | None = None) -> Evidence:
    """Return what the service can say of itself now; `last` is the head that the verifier saw last."""
    head, kept = audit_log().head(), None
    if last is not None:
        with log_turn().hold():
            kept = audit_log().since(last, head)
    state, release, measured = integrity().state, integrity().release, integrity().measured
    return Evidence(
        integrity=state,
        measured_pcr=measured.pcr if measured else None,
        event_log=tuple(measured.events) if measured else (),
        manifest_digest=release.digest.hex() if release else None,
        audit=head,
        since=(last, kept) if last and kept else None,
    )


@cache
def idempotent_answers() -> IdempotentAnswers:
    """The answers given last; they live as long as the process."""
    return IdempotentAnswers()
