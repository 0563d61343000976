"""The secrets of master keys, in the TPM service: sealed there, opened for a while in this process's memory.

A secret that was opened serves for OPEN_S; then the TPM service is asked again, so a service that no longer may open
it ends what a worker can do. Data keys that were unwrapped are kept with it, and go with it.
"""

import threading
import time
from functools import lru_cache

from django.conf import settings

from ledger.errors import MasterKeyMissing
from ledger.keys.master_key import SealedMaster, Secret
from ledger.signing.client import client
from tpm.client import TpmError
from tpm.register.gate import require_attested

OPEN_S = 600.0
DATA_KEYS_KEPT = 50_000  # about 20 MB; unwrapping one costs 0.06 ms

# The service has no such object, or its TPM cannot open it: waiting does not help.
_GONE = {"sealed_not_found", "key_unusable"}


class Opened:
    """A master key's secret at work; `directory` is the directory key."""

    def __init__(self, secret: Secret) -> None:
        self.secret = secret
        self.directory = secret.directory
        self.until = time.monotonic() + OPEN_S
        # Keyed by what the row holds: an erased key's row holds nothing, so nobody asks for it here.
        self.unwrap = lru_cache(maxsize=DATA_KEYS_KEPT)(secret.unwrap)


_opened: dict[str, Opened] = {}
_changing = threading.Lock()


def opened(master: SealedMaster) -> Opened:
    """Open a master key, or the one in memory; raises TpmError (try later) or MasterKeyMissing (a person is needed)."""
    found = _opened.get(master.id)
    if found is None or found.until < time.monotonic():
        found = Opened(unsealed(master))
        with _changing:
            _opened[master.id] = found
    return found


def keep_only(ids: set[str]) -> None:
    """Forget the secrets of all other master keys, and those whose time is over."""
    with _changing:
        for master_id in [key for key, found in _opened.items() if key not in ids or found.until < time.monotonic()]:
            del _opened[master_id]


def unsealed(master: SealedMaster) -> Secret:
    """Have the TPM open this master key, now; raises as `opened` does."""
    require_attested(settings.TPM_SERVICE_URL)
    try:
        secret = Secret.from_bytes(client().unseal(master.sealed))
    except TpmError as error:
        if error.code in _GONE:
            raise MasterKeyMissing(
                f"master key {master.id} does not open: the TPM service answers {error.code} for its sealed object "
                f"{master.sealed}. If the TPM was replaced, run `manage.py ledger_keys recover` with the recovery key"
            ) from error
        raise
    if secret.public != master.public:
        raise MasterKeyMissing(f"sealed object {master.sealed} holds master key {secret.id}, expected {master.id}")
    return secret


def seal(name: str, secret: Secret) -> None:
    """Seal a secret under a name that nobody has used, and see that it opens; raises TpmError, MasterKeyMissing."""
    require_attested(settings.TPM_SERVICE_URL)  # no secret goes to a service that only says what it is
    tpm = client()
    tpm.seal(name, secret.to_bytes(), policy=policy())
    if Secret.from_bytes(tpm.unseal(name)).public != secret.public:
        raise MasterKeyMissing(f"sealed object {name} holds something else than what was just sealed")


def policy() -> str | None:
    """The policy under which master keys are sealed."""
    return None if settings.LEDGER_MASTER_KEY_POLICY == "none" else str(settings.LEDGER_MASTER_KEY_POLICY)


def discard(name: str) -> None:
    """Destroy a sealed object; one that is not there, or damaged, is gone already. Raises TpmError."""
    try:
        client().sealed_delete(name)
    except TpmError as error:
        if error.code not in _GONE:
            raise
