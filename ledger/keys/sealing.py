"""Where master keys are: made, sealed in the TPM, wrapped for the recovery key, moved to another TPM, destroyed.

Every function here expects to be alone with the file (`keyfile.locked`) and returns the file as it is now. A sealed
object is noted under `discard` before it is made and until it is in use, and again when it is no longer needed: whoever
is killed in between leaves nothing behind that the next call does not find.
"""

import os
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from django.conf import settings
from django.utils import timezone

from ledger.errors import MasterKeyMissing, RecoveryKeyError
from ledger.keys import file as keyfile
from ledger.keys import vault
from ledger.keys.file import KeyFile, Master
from ledger.keys.master_key import (
    PlainMaster,
    SealedMaster,
    Secret,
    fingerprint,
    recovery_open,
    recovery_public_load,
    recovery_wrap,
)


def recovery_public_key() -> X25519PublicKey:
    """The recovery key of the settings; raises RecoveryKeyError: without it nothing is sealed."""
    if not settings.LEDGER_RECOVERY_PUBLIC_KEY:
        raise RecoveryKeyError(
            "no master key is sealed without a recovery key: make one with `manage.py ledger_keys recovery-keygen "
            "--out FILE`, keep FILE offline, and set EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE to FILE.pub"
        )
    return recovery_public_load(settings.LEDGER_RECOVERY_PUBLIC_KEY)


def add(path: Path, file: KeyFile, directory: bytes) -> KeyFile:
    """A new master key, the newest from now on; raises TpmError and LedgerError."""
    secret = Secret.new(directory)
    file, master = _seal(path, file, secret, made_at=timezone.now().isoformat(timespec="seconds"))
    return _written(path, replace(file, masters=(*file.masters, master)))


def drop_old(path: Path, file: KeyFile) -> KeyFile:
    """Forget all master keys but the newest; `discard_all` destroys what is sealed of them."""
    *old, newest = file.masters
    names = [master.sealed for master in old if isinstance(master, SealedMaster)]
    return _written(path, replace(file, masters=(newest,)).noting(*names))


def discard_all(path: Path, file: KeyFile) -> KeyFile:
    """Destroy the sealed objects that nobody needs; raises TpmError, and goes on at the next call."""
    for name in file.discard:
        vault.discard(name)
        file = _written(path, file.without(name))
    return file


def reseal_needed(master: SealedMaster) -> list[str]:
    """Why this master key is not sealed as the settings say, in words; [] when it is."""
    reasons = []
    wanted = fingerprint(recovery_public_key())
    if master.recovery_key != wanted:
        reasons.append(f"wrapped for recovery key {master.recovery_key}, to be for {wanted}")
    if master.policy != vault.policy():
        reasons.append(f"sealed under policy {master.policy or 'none'}, to be under {vault.policy() or 'none'}")
    return reasons


def reseal(path: Path, file: KeyFile, master: SealedMaster) -> KeyFile:
    """Seal and wrap anew what the TPM opens, as the settings say now."""
    return _replace(path, file, master, vault.unsealed(master))


def opens(master: Master) -> bool:
    """Tell whether this master key can be used here; raises TpmError where that cannot be told now."""
    if isinstance(master, PlainMaster):
        return True
    try:
        vault.unsealed(master)
    except MasterKeyMissing:
        return False
    return True


def recover(path: Path, file: KeyFile, master: SealedMaster, recovery_key: X25519PrivateKey) -> KeyFile:
    """Seal in the present TPM what the recovery key opens; raises RecoveryKeyError where it is another."""
    return _replace(path, file, master, recovery_open(master, recovery_key))


def _replace(path: Path, file: KeyFile, master: SealedMaster, secret: Secret) -> KeyFile:
    file, sealed = _seal(path, file, secret, made_at=master.made_at)
    masters = tuple(sealed if item.id == master.id else item for item in file.masters)
    return _written(path, replace(file, masters=masters).noting(master.sealed))


def _seal(path: Path, file: KeyFile, secret: Secret, *, made_at: str) -> tuple[KeyFile, SealedMaster]:
    """Seal and wrap; returns the file without the note, still to be written, and the master key for it."""
    recovery_key = recovery_public_key()
    file = discard_all(path, file)  # first, so that calls that fail again and again leave one note, not many
    name = f"ledger-master-{secret.id}-{os.urandom(4).hex()}"
    file = _written(path, file.noting(name))
    vault.seal(name, secret)
    master = SealedMaster(
        id=secret.id,
        public=secret.public,
        made_at=made_at,
        sealed=name,
        policy=vault.policy(),
        recovery=recovery_wrap(secret, recovery_key),
        recovery_key=fingerprint(recovery_key),
    )
    return file.without(name), master


def _written(path: Path, file: KeyFile) -> KeyFile:
    keyfile.write(path, file)
    return file
