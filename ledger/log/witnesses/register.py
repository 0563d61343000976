"""Who witnesses the log: added, switched off and on, taken away. A witness is known by the name in its key."""

from django.conf import settings
from django.db import transaction

from common.outgoing.addresses import AddressRefused, url_check
from ledger.alerts import alerts_close
from ledger.errors import LedgerError
from ledger.log.note import COSIGNATURE, NoteError, VerifierKey
from ledger.models import LogWitness

State = LogWitness.State
ENABLED_MAX = 15  # a note has at most 16 lines of signatures, one of them the log's own
ALERTS = ("witness_missing", "witness_refuses")


class WitnessError(LedgerError):
    """In one sentence why it cannot be a witness; for whoever enters it."""


def address_of(url: str) -> str:
    """The address as it is kept, without the slash at its end; raises WitnessError."""
    address = url.strip().rstrip("/")
    try:
        parts = url_check(address, local_allowed=settings.WEBHOOK_ALLOW_LOCAL)
    except AddressRefused as error:
        raise WitnessError(f"address of the witness: {error}") from error
    if parts.query:
        raise WitnessError("address of the witness: expected one without a question mark")
    return address


def key_of(vkey: str) -> VerifierKey:
    """The key that a witness publishes; raises WitnessError."""
    try:
        key = VerifierKey.parse(vkey.strip())
    except NoteError as error:
        raise WitnessError(f"key of the witness: {error}") from error
    if key.type != COSIGNATURE:
        raise WitnessError(f"key of the witness: expected type 0x04 (cosignature/v1), got 0x{key.type:02x}")
    if key.name == settings.LOG_ORIGIN:
        raise WitnessError("key of the witness: expected a name of its own, got that of the log")
    return key


@transaction.atomic
def witness_add(*, url: str, vkey: str) -> tuple[LogWitness, bool]:
    """The witness with this key, asked at this address from now on, and whether it is new. Repeats safely.

    Raises WitnessError, also where another key has its name: what that one signed keeps its name for ever.
    """
    address, key = address_of(url), key_of(vkey)
    found = LogWitness.objects.select_for_update().filter(name=key.name).first()
    if found is not None and found.vkey != key.text:
        raise WitnessError(f"{key.name}: another key has this name; a new key needs a new name")
    if found is None or not found.enabled:
        _require_room()
    if found is None:
        return LogWitness.objects.create(name=key.name, url=address, vkey=key.text), True
    if found.url != address or not found.enabled:
        found.url = address
        _enable(found)
    return found, False


@transaction.atomic
def witness_enable(*, witness: LogWitness) -> None:
    """Ask it again from now on; raises WitnessError where there are too many."""
    if not LogWitness.objects.select_for_update().get(pk=witness.pk).enabled:
        _require_room()
        _enable(witness)


def witness_disable(*, witness: LogWitness) -> None:
    """Ask it no more; its signatures are no longer served with the checkpoints, and stay here."""
    witness.enabled = False
    witness.save(update_fields=["enabled"])
    alerts_close(*ALERTS, subject=witness.name)


def witness_remove(*, witness: LogWitness) -> bool:
    """Whether it is gone. One that has signed anything is only switched off: receipts name it."""
    witness_disable(witness=witness)
    if witness.cosignatures.exists():
        return False
    witness.delete()
    return True


def _enable(witness: LogWitness) -> None:
    witness.enabled, witness.state = True, State.NEW
    witness.last_asked_at, witness.last_error = None, ""
    witness.save(update_fields=["url", "enabled", "state", "last_asked_at", "last_error"])


def _require_room() -> None:
    if LogWitness.objects.filter(enabled=True).count() >= ENABLED_MAX:
        raise WitnessError(f"there are {ENABLED_MAX} witnesses already: more signatures do not fit below a checkpoint")
