"""Data keys, the master key that wraps them, and destroying them.

The master keys live in one file (0600), JSON:
    {"directory": HEX, "master": [{"id": HEX, "key": HEX}, …]}      the newest last
Erasing a customer destroys his wrapped data keys and replaces the master key, so that an older backup of the
wrapped keys cannot be opened with the master key of a later day either. The directory key never changes; it
only tells which data key a copy on the chain belongs to.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from ledger.errors import KeyDestroyed, LedgerError, MasterKeyMissing
from ledger.models import DataKey
from ledger.record import KEY_BYTES, KEY_ID_BYTES, NONCE_BYTES
from stations.models import ChargingSession

BACKUP_FORMAT = "evportal-key-backup/1"


@dataclass(frozen=True)
class MasterKey:
    id: str
    key: bytes

    @classmethod
    def new(cls) -> "MasterKey":
        return cls(os.urandom(8).hex(), os.urandom(KEY_BYTES))


@dataclass(frozen=True)
class Keyring:
    """The master keys as the file has them. Read it anew for each batch: another process may have rotated it."""

    directory: bytes
    masters: tuple[MasterKey, ...]

    @property
    def current(self) -> MasterKey:
        return self.masters[-1]

    def wrap(self, key_id: bytes, key: bytes) -> tuple[bytes, str]:
        """(nonce || ciphertext, id of the master key)."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.current.key).encrypt(nonce, key, key_id), self.current.id

    def unwrap(self, data_key: DataKey) -> bytes:
        key_id = bytes(data_key.key_id)
        if data_key.wrapped is None:
            raise KeyDestroyed(f"data key {key_id.hex()} was destroyed")
        wrapped = bytes(data_key.wrapped)
        for master in self.masters:
            if master.id == data_key.master_key_id:
                try:
                    return AESGCM(master.key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id)
                except InvalidTag as error:
                    raise MasterKeyMissing(f"data key {key_id.hex()}: master key {master.id} does not fit") from error
        raise MasterKeyMissing(f"data key {key_id.hex()} needs master key {data_key.master_key_id}, which is gone")


def keyring(path: Path | None = None) -> Keyring:
    """Read the master key file; the very first use makes it."""
    path = path or settings.LEDGER_MASTER_KEY_FILE
    try:
        content = json.loads(path.read_text())
        masters = tuple(MasterKey(item["id"], bytes.fromhex(item["key"])) for item in content["master"])
        return Keyring(bytes.fromhex(content["directory"]), masters)
    except FileNotFoundError:
        return _first_keyring(path)
    except (ValueError, KeyError, TypeError) as error:
        raise MasterKeyMissing(f"{path} is not a master key file") from error


def _first_keyring(path: Path) -> Keyring:
    if DataKey.objects.filter(wrapped__isnull=False).exists():
        raise MasterKeyMissing(f"{path} is missing, but data keys are wrapped with it: put it back from its backup")
    made = Keyring(os.urandom(KEY_BYTES), (MasterKey.new(),))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = _write_beside(path, made)
    try:
        os.link(temporary, path)  # unlike rename, fails where another process was first
    except FileExistsError:
        return keyring(path)
    finally:
        temporary.unlink()
    return made


def _write_beside(path: Path, ring: Keyring) -> Path:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    content = {
        "directory": ring.directory.hex(),
        "master": [{"id": master.id, "key": master.key.hex()} for master in ring.masters],
    }
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def _replace(path: Path, ring: Keyring) -> None:
    _write_beside(path, ring).replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the name too survives a power cut
    finally:
        os.close(directory)


def data_keys_for(sessions: Iterable[ChargingSession]) -> dict[Any, DataKey]:
    """The living data key of each session, by session pk; missing ones are made.

    A session with a token uses the token's key, one without the key of its site.
    """
    sessions = list(sessions)
    tokens = {session.id_token_id for session in sessions if session.id_token_id}
    sites = {session.station.site_id for session in sessions if not session.id_token_id}
    by_token = _living("id_token_id", tokens)
    by_site = _living("site_id", sites)
    return {
        session.pk: by_token[session.id_token_id] if session.id_token_id else by_site[session.station.site_id]
        for session in sessions
    }


def _living(owner: str, ids: set[int]) -> dict[int, DataKey]:
    if not ids:
        return {}
    found = _living_now(owner, ids)
    missing = ids - found.keys()
    if missing:
        with transaction.atomic():
            _lock("ROW EXCLUSIVE")
            ring = keyring()  # read under the lock: the master key is not replaced before this commits
            # ignore_conflicts: another worker may make the same key now; whoever is first, both read that one.
            DataKey.objects.bulk_create((_new(ring, owner, owner_id) for owner_id in missing), ignore_conflicts=True)
        found = _living_now(owner, ids)
    return found


def _lock(mode: str) -> None:
    """Makers of data keys (ROW EXCLUSIVE) and replacers of the master key (SHARE ROW EXCLUSIVE) shut each other out.

    SQLite needs nothing: an IMMEDIATE transaction is alone.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {DataKey._meta.db_table} IN {mode} MODE")


def _living_now(owner: str, ids: set[int]) -> dict[int, DataKey]:
    rows = DataKey.objects.filter(**{f"{owner}__in": ids}, destroyed_at__isnull=True)
    return {getattr(row, owner): row for row in rows}


def _new(ring: Keyring, owner: str, owner_id: int) -> DataKey:
    key_id = os.urandom(KEY_ID_BYTES)
    wrapped, master_key_id = ring.wrap(key_id, os.urandom(KEY_BYTES))
    return DataKey(key_id=key_id, wrapped=wrapped, master_key_id=master_key_id, **{owner: owner_id})


def destroy(data_keys: Iterable[DataKey]) -> int:
    """Destroy these keys; `master_key_replace` must follow once this is committed (the sweep sees to it too)."""
    ids = [data_key.pk for data_key in data_keys]
    rows = DataKey.objects.filter(pk__in=ids, destroyed_at__isnull=True)
    return rows.update(wrapped=None, destroyed_at=timezone.now(), id_token=None)


def master_key_is_due() -> bool:
    """A destroyed key was wrapped with a master key that still exists: an old backup could bring it back."""
    masters = [master.id for master in keyring().masters]
    return DataKey.objects.filter(destroyed_at__isnull=False, master_key_id__in=masters).exists()


def master_key_replace() -> str:
    """Wrap every living data key under a new master key and forget the old ones; returns the new id.

    Order matters: new key into the file, rows, old key out of the file. Killed in between, both keys are in the
    file and nothing is lost; the next call finishes the work.
    """
    path = settings.LEDGER_MASTER_KEY_FILE
    with transaction.atomic(durable=True):
        _lock("SHARE ROW EXCLUSIVE")
        before = keyring()
        ring = Keyring(before.directory, (*before.masters, MasterKey.new()))
        _replace(path, ring)
        rows = DataKey.objects.filter(wrapped__isnull=False)
        changed = []
        for row in rows.iterator(chunk_size=1000):
            row.wrapped, row.master_key_id = ring.wrap(bytes(row.key_id), ring.unwrap(row))
            changed.append(row)
        DataKey.objects.bulk_update(changed, ["wrapped", "master_key_id"], batch_size=500)
    _replace(path, Keyring(ring.directory, (ring.current,)))
    return ring.current.id


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
    """Bring back the keys of a backup that the database lacks; returns how many. Owners follow with the records."""
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
        destroyed_at=None if wrapped is not None else timezone.now(),
    )
