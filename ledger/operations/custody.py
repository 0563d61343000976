"""Who can open the master key, and putting that right: what `manage.py ledger_keys` seal, recover and status do."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.conf import settings

from ledger.errors import LedgerError, MasterKeyMissing, RecoveryKeyError
from ledger.keys import data_keys, sealing, vault
from ledger.keys import file as keyfile
from ledger.keys.file import KeyFile, Master
from ledger.keys.master_key import PlainMaster, SealedMaster, fingerprint, recovery_open
from ledger.models import DataKey
from tpm.client import TpmError


def seal(*, dry_run: bool = False) -> list[str]:
    """Bring the master key to where the settings say; returns what was (or would be) done, in words.

    Raises RecoveryKeyError, MasterKeyMissing, MasterKeyBusy and TpmError; then the next call goes on.
    """
    sealing.recovery_public_key()  # demanded first: without it nothing is done by halves
    done = list(_plan(keyfile.read(settings.LEDGER_MASTER_KEY_FILE)))
    if dry_run:
        return done
    path = settings.LEDGER_MASTER_KEY_FILE
    if done:
        _seal(path)
    for master in _sealed(keyfile.read(path)):
        vault.unsealed(master)  # it opens, or the caller hears why not
    return done


def _seal(path: Path) -> None:
    data_keys.keyring()
    if _to_be_replaced(keyfile.read(path)):
        data_keys.master_key_replace()
    with keyfile.locked(path, wait_s=data_keys.LOCK_WAIT_S):
        file = keyfile.read(path)
        for master in _sealed(file):
            if sealing.reseal_needed(master):
                file = sealing.reseal(path, file, master)
        sealing.discard_all(path, file)


def _plan(file: KeyFile) -> Iterator[str]:
    if not file.masters:
        yield "make the first master key and seal it in the TPM"
    if _to_be_replaced(file):
        yield (
            f"replace master key {file.masters[0].id} by a new one in the TPM and wrap all data keys anew; older "
            "backups of the data keys open only with an older master key file: make a new one, and destroy both"
        )
    for master in _sealed(file):
        for reason in sealing.reseal_needed(master):
            yield f"seal master key {master.id} anew: {reason}"
    if file.discard:
        yield f"destroy {len(file.discard)} sealed objects that nobody needs"


def _to_be_replaced(file: KeyFile) -> bool:
    """In the clear, or a replacement that was interrupted."""
    return len(file.masters) > 1 or any(isinstance(master, PlainMaster) for master in file.masters)


def _sealed(file: KeyFile) -> list[SealedMaster]:
    return [master for master in file.masters if isinstance(master, SealedMaster)]


def recover(*, recovery_key: X25519PrivateKey, dry_run: bool = False) -> list[str]:
    """Seal in the present TPM what it does not open; returns what was (or would be) done, in words.

    Raises RecoveryKeyError where the recovery key is another, MasterKeyMissing where there is no file to recover, and
    TpmError; nothing is lost then, and the next call goes on.
    """
    path, done = settings.LEDGER_MASTER_KEY_FILE, []
    with keyfile.locked(path, wait_s=data_keys.LOCK_WAIT_S):
        file = keyfile.read(path)
        sealed = _sealed(file)
        if not sealed:
            raise MasterKeyMissing(f"{path} holds no sealed master key to recover: put it back from its backup")
        for master in sealed:
            recovery_open(master, recovery_key)  # all of them, before anything is changed
        for master in sealed:
            if dry_run:
                done.append(f"this recovery key opens master key {master.id}")
            elif sealing.opens(master):
                done.append(f"master key {master.id} opens in the present TPM; nothing to do")
            else:
                file = sealing.recover(path, file, master, recovery_key)
                done.append(f"master key {master.id} is sealed in the present TPM")
        if not dry_run:
            sealing.discard_all(path, file)
    return done


@dataclass
class Status:
    """What `status` tells; `well` is True where all is sealed as the settings say and opens now."""

    lines: list[str] = field(default_factory=list)
    well: bool = True

    def add(self, line: str, *, well: bool = True) -> None:
        self.lines.append(line)
        self.well = self.well and well


def status() -> Status:
    """Look at the file, the settings, the rows and the TPM; changes nothing. Raises MasterKeyMissing (a bad file)."""
    found, path = Status(), settings.LEDGER_MASTER_KEY_FILE
    file = keyfile.read(path)
    counts = Counter(DataKey.objects.filter(wrapped__isnull=False).values_list("master_key_id", flat=True))
    found.add(f"file               {path}")
    _recovery_key(found)
    if not file.masters:
        found.add("master key         none yet: `ledger_keys seal` or the first session makes it", well=not counts)
    for master in file.masters:
        _master(found, master, counts.pop(master.id, 0))
    for master_id, count in sorted(counts.items()):
        found.add(f"{count} data keys need master key {master_id}, which is not in the file", well=False)
    if len(file.masters) > 1:
        found.add("a replacement was interrupted: the worker finishes it, or `ledger_keys seal`", well=False)
    if file.discard:
        found.add(f"to be destroyed    {', '.join(file.discard)}", well=False)
    return found


def _recovery_key(found: Status) -> None:
    try:
        found.add(f"recovery key       {fingerprint(sealing.recovery_public_key())}")
    except RecoveryKeyError as error:
        found.add(f"recovery key       {error}", well=False)


def _master(found: Status, master: Master, count: int) -> None:
    found.add(f"master key         {master.id}, wraps {count} data keys")
    if isinstance(master, PlainMaster):
        found.add("  where            IN THE CLEAR in the file: run `ledger_keys seal`", well=False)
        return
    found.add(f"  where            TPM service, sealed object {master.sealed}, policy {master.policy or 'none'}")
    found.add(f"  made             {master.made_at}")
    found.add(f"  recovery copy    for recovery key {master.recovery_key}")
    if settings.LEDGER_RECOVERY_PUBLIC_KEY:
        for reason in sealing.reseal_needed(master):
            found.add(f"  differs          {reason}: run `ledger_keys seal`", well=False)
    try:
        vault.unsealed(master)
        found.add("  opens now        yes")
    except (LedgerError, TpmError) as error:
        found.add(f"  opens now        NO: {error}", well=False)
