"""Data keys, the master key that wraps them, and destroying them.

The master key is an HPKE key pair (ledger/keys/master_key.py). Its public half, in the master key file
(ledger/keys/file.py),
wraps data keys: closing a session asks no TPM. Its private half is sealed in the TPM (ledger/keys/vault.py): only who
seals
copies for the chain, or restores from it, opens data keys.

Erasing a customer destroys their wrapped data keys and replaces the master key, so that an older backup of the
wrapped keys cannot be opened with the master key of a later day either. The directory key never changes; it
only tells which data key a copy on the chain belongs to.
"""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from ledger.alerts import alert_close, alert_raise
from ledger.errors import KeyDestroyed, LedgerError, MasterKeyBusy, MasterKeyMissing
from ledger.keys import file as keyfile
from ledger.keys import sealing, vault
from ledger.keys.file import KeyFile, Master
from ledger.keys.master_key import PlainMaster
from ledger.models import DataKey
from ledger.record import KEY_BYTES, KEY_ID_BYTES
from stations.models import ChargingSession, IdToken
from tpm.client import TpmError

BACKUP_FORMAT = "evportal-key-backup/1"
LOCK_WAIT_S = 20.0
REWRAP_AT_ONCE = 500


@dataclass(frozen=True)
class Keyring:
    """The master keys as the file has them. Read it anew for each batch: another process may have replaced one."""

    masters: tuple[Master, ...]

    @property
    def current(self) -> Master:
        return self.masters[-1]

    @property
    def directory(self) -> bytes:
        """The directory key; raises as `unwrap` does."""
        return _opened(self.current).directory

    def wrap(self, key_id: bytes, key: bytes) -> tuple[bytes, str]:
        """(the wrapped data key, id of the master key); needs no TPM."""
        return self.current.wrap(key_id, key), self.current.id

    def unwrap(self, data_key: DataKey) -> bytes:
        """The data key; raises KeyDestroyed, MasterKeyMissing (a person is needed) or TpmError (try later)."""
        key_id = bytes(data_key.key_id)
        if data_key.wrapped is None:
            raise KeyDestroyed(f"data key {key_id.hex()} was destroyed")
        for master in self.masters:
            if master.id == data_key.master_key_id:
                return _opened(master).unwrap(key_id, bytes(data_key.wrapped))
        raise MasterKeyMissing(f"data key {key_id.hex()} needs master key {data_key.master_key_id}, which is gone")


def _opened(master: Master) -> PlainMaster | vault.Opened:
    return master if isinstance(master, PlainMaster) else vault.opened(master)


def keyring() -> Keyring:
    """Read the master key file. The very first use makes the first master key, and only that one needs the TPM.

    Raises MasterKeyMissing where the file is gone or damaged; at the very first use also TpmError and RecoveryKeyError.
    """
    file = keyfile.read(settings.LEDGER_MASTER_KEY_FILE)
    if not file.masters:
        file = _first()
    vault.keep_only({master.id for master in file.masters})
    return Keyring(file.masters)


def _first() -> KeyFile:
    path = settings.LEDGER_MASTER_KEY_FILE
    with keyfile.locked(path, wait_s=LOCK_WAIT_S):
        file = keyfile.read(path)
        if file.masters:
            return file  # another process was first
        if DataKey.objects.filter(wrapped__isnull=False).exists():
            raise MasterKeyMissing(f"{path} is missing, but data keys are wrapped with it: put it back from its backup")
        return sealing.add(path, file, os.urandom(KEY_BYTES))


@dataclass(frozen=True)
class KeyOwner:
    """Whose copies a data key seals: those of a token's sessions of one customer (None: nobody's), or of a site's."""

    id_token_id: int | None = None
    customer_id: int | None = None
    site_id: int | None = None

    @classmethod
    def of(cls, session: ChargingSession) -> "KeyOwner":
        if session.id_token_id:
            return cls(id_token_id=session.id_token_id, customer_id=session.customer_id)
        return cls(site_id=session.station.site_id)


def data_keys_for(sessions: Iterable[ChargingSession]) -> dict[Any, DataKey]:
    """The data key in use for each session, by session pk; missing ones are made."""
    owners = {session.pk: KeyOwner.of(session) for session in sessions}
    found = _in_use(set(owners.values()))
    return {pk: found[owner] for pk, owner in owners.items()}


def _in_use(owners: set[KeyOwner]) -> dict[KeyOwner, DataKey]:
    found = _in_use_now(owners)
    missing = owners - found.keys()
    if missing:
        with transaction.atomic():
            _lock("ROW EXCLUSIVE")
            ring = keyring()  # read under the lock: the master key is not replaced before this commits
            # ignore_conflicts: another worker may make the same key now; whoever is first, both read that one.
            DataKey.objects.bulk_create((_new(ring, owner) for owner in missing), ignore_conflicts=True)
        found = _in_use_now(owners)
    return found


def _lock(mode: str) -> None:
    """Makers of data keys (ROW EXCLUSIVE) and replacers of the master key (SHARE ROW EXCLUSIVE) shut each other out.

    SQLite needs nothing: an IMMEDIATE transaction is alone.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {DataKey._meta.db_table} IN {mode} MODE")


def _in_use_now(owners: set[KeyOwner]) -> dict[KeyOwner, DataKey]:
    theirs = Q(id_token__in={owner.id_token_id for owner in owners}) | Q(site__in={owner.site_id for owner in owners})
    rows = DataKey.objects.filter(theirs, destroyed_at__isnull=True, closed_at__isnull=True)
    return {KeyOwner(row.id_token_id, row.customer_id, row.site_id): row for row in rows}


def _new(ring: Keyring, owner: KeyOwner) -> DataKey:
    key_id = os.urandom(KEY_ID_BYTES)
    wrapped, master_key_id = ring.wrap(key_id, os.urandom(KEY_BYTES))
    return DataKey(key_id=key_id, wrapped=wrapped, master_key_id=master_key_id, **asdict(owner))


def close(*, id_token: IdToken, customer: User | None) -> None:
    """The sessions under this key changed hands: it goes on opening their copies, and seals no new ones.

    Else the next session of a later holder would be sealed with it, and be lost when the other one is erased.
    """
    in_use = DataKey.objects.filter(id_token=id_token, customer=customer, destroyed_at=None, closed_at=None)
    in_use.update(closed_at=timezone.now(), customer=None)


@transaction.atomic
def destroy(data_keys: Iterable[DataKey]) -> int:
    """Destroy these keys; `master_key_upkeep` must follow once this is committed (the sweep sees to it too)."""
    ids = [data_key.pk for data_key in data_keys]
    rows = DataKey.objects.filter(pk__in=ids, destroyed_at__isnull=True)
    list(rows.select_for_update().order_by("pk"))  # in the order of `_rewrap_some`, or the two could deadlock
    return rows.update(wrapped=None, destroyed_at=timezone.now(), id_token=None, customer=None)


def master_key_is_due() -> bool:
    """Is there work left: no master key yet, a replaced one not destroyed, or one that an erased key was wrapped with?

    With the last an old backup could bring the erased key back.
    """
    file = keyfile.read(settings.LEDGER_MASTER_KEY_FILE)
    return len(file.masters) != 1 or bool(file.discard) or _erased_with(file)


def _erased_with(file: KeyFile) -> bool:
    masters = [master.id for master in file.masters]
    return DataKey.objects.filter(destroyed_at__isnull=False, master_key_id__in=masters).exists()


def master_key_replace(*, wait_s: float = LOCK_WAIT_S, anew: bool = False) -> str:
    """Wrap every living data key for a new master key and destroy the old ones; returns the new id.

    The new one may be that of an interrupted call, which is finished; with `anew` it is made by this call.
    Order matters: new key sealed and in the file, rows, old keys out of the file and destroyed in the TPM. Killed in
    between, both are in the file and nothing is lost; the next call finishes the work. Raises TpmError where the TPM
    is away, MasterKeyBusy, and MasterKeyMissing where a data key does not open.
    """
    keyring()  # the very first use makes one, before anything is locked
    path = settings.LEDGER_MASTER_KEY_FILE
    with keyfile.locked(path, wait_s=wait_s):
        file = keyfile.read(path)
        finished = len(file.masters) > 1
        if finished:
            file = _finish(file)
        if anew or not finished or _erased_with(file) or isinstance(file.masters[-1], PlainMaster):
            file = _finish(sealing.add(path, file, _opened(file.masters[-1]).directory))
        sealing.discard_all(path, file)
        return file.masters[-1].id


def _finish(file: KeyFile) -> KeyFile:
    """Wrap what an old master key wraps for the newest one, and forget the old ones."""
    ring = Keyring(file.masters)
    in_use = set(DataKey.objects.filter(wrapped__isnull=False).values_list("master_key_id", flat=True).distinct())
    for master in file.masters[:-1]:
        if master.id in in_use:
            _opened(master)  # now: nobody waits for a TPM inside a database transaction
    while _rewrap_some(ring):
        pass
    with transaction.atomic(durable=True):
        # Whoever makes data keys now reads the file after this, and finds the newest master key there.
        _lock("SHARE ROW EXCLUSIVE")
        while _rewrap_some(ring):
            pass
    return sealing.drop_old(settings.LEDGER_MASTER_KEY_FILE, file)


@transaction.atomic
def _rewrap_some(ring: Keyring) -> bool:
    """Rewrap some rows of the old master keys; False where none is left. A key destroyed meanwhile stays destroyed."""
    old = [master.id for master in ring.masters[:-1]]
    rows = list(
        DataKey.objects.select_for_update()
        .filter(wrapped__isnull=False, master_key_id__in=old)
        .order_by("pk")[:REWRAP_AT_ONCE]
    )
    for row in rows:
        row.wrapped, row.master_key_id = ring.wrap(bytes(row.key_id), ring.unwrap(row))
    DataKey.objects.bulk_update(rows, ["wrapped", "master_key_id"])
    return bool(rows)


def master_key_upkeep() -> bool:
    """Do what is left (`master_key_is_due`); False where it has to wait, for the TPM or for a person: an alert says so.

    Raises nothing of ours: what was erased is erased, and recording goes on.
    """
    try:
        if master_key_is_due():
            _catch_up(settings.LEDGER_MASTER_KEY_FILE)
    except MasterKeyBusy:
        return False  # another process is at it
    except (LedgerError, TpmError) as error:
        alert_raise("master_key_due", message=str(error))
        return False
    alert_close("master_key_due")
    return True


def _catch_up(path: Path) -> None:
    file = KeyFile(keyring().masters)
    if len(file.masters) > 1 or _erased_with(file):
        master_key_replace(wait_s=0)
    else:
        with keyfile.locked(path, wait_s=0):
            sealing.discard_all(path, keyfile.read(path))


def backup() -> dict[str, Any]:
    """All data keys, wrapped: useless without the master key file, and without personal data."""
    keys = [
        {
            "key_id": bytes(row.key_id).hex(),
            "wrapped": bytes(row.wrapped).hex() if row.wrapped is not None else None,
            "master_key_id": row.master_key_id,
        }
        for row in DataKey.objects.order_by("id").iterator()
    ]
    return {"format": BACKUP_FORMAT, "made_at": timezone.now().isoformat(), "keys": keys}


def restore(content: Any) -> int:
    """Bring back the keys of a backup that the database lacks; returns how many. Owners follow with the records.

    They open copies and seal no new ones: whose they were is not in the records, so a holder gets a new key.
    """
    if not isinstance(content, dict) or content.get("format") != BACKUP_FORMAT:
        raise LedgerError(f"expected a key backup of format {BACKUP_FORMAT}")
    try:
        rows = [_from_backup(item) for item in content["keys"]]
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"the key backup is damaged: {error!r}") from error
    known = {bytes(key_id) for key_id in DataKey.objects.values_list("key_id", flat=True)}
    missing = [row for row in rows if row.key_id not in known]
    DataKey.objects.bulk_create(missing, batch_size=500)
    return len(missing)


def _from_backup(item: dict[str, Any]) -> DataKey:
    wrapped = bytes.fromhex(item["wrapped"]) if item["wrapped"] is not None else None
    return DataKey(
        key_id=bytes.fromhex(item["key_id"]),
        wrapped=wrapped,
        master_key_id=item["master_key_id"],
        closed_at=timezone.now(),
        destroyed_at=None if wrapped is not None else timezone.now(),
    )
