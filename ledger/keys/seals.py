"""What only this portal can say of a ledger entry: sealed under SECRET_KEY, which is in no database.

Whoever writes everything in the database can mark an entry as erased, or a session as restored, but cannot seal that.
`manage.py reseal` seals anew after SECRET_KEY was changed.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

from common import sealed_text
from common.resealing import Column, column_add
from common.sealed_text import SealedTextError
from ledger.models import LedgerEntry
from ledger.record import FORMAT, Recorded, canonical, fields_of

ERASED, RESTORED = "ledger.erased", "ledger.restored"


PERSONAL = ("id_token", "signed_meter_values")  # meters sign whose card it was


def figures(fields: dict[str, Any]) -> bytes:
    """SHA-256 of what stays of a record when its customer is erased: all but the token, and what names it.

    Without them a record may be one of the first format: so all are named alike.
    """
    kept = {name: value for name, value in fields.items() if name not in PERSONAL}
    return hashlib.sha256(canonical({**kept, "format": FORMAT})).digest()


def figures_of(row: Recorded) -> bytes:
    return figures(fields_of(row))


def erasure_seal(*, ledger_id: int, digest: bytes, key_id: bytes, erased_at: datetime, figures: bytes) -> bytes:
    """Say that this portal erased the record; `figures` is what stays of it, b"" where no session stays."""
    about = _about_erased(ledger_id, digest, key_id, erased_at)
    return sealed_text.seal_bytes(figures, purpose=ERASED, about=about)


def erased_figures(
    seal: bytes | None, *, ledger_id: int, digest: bytes, key_id: bytes, erased_at: datetime
) -> bytes | None:
    """The figures of a seal of this very erasure; None where it is not one."""
    if seal is None:
        return None
    try:
        return sealed_text.unseal_bytes(seal, purpose=ERASED, about=_about_erased(ledger_id, digest, key_id, erased_at))
    except SealedTextError:
        return None


def _about_erased(ledger_id: int, digest: bytes, key_id: bytes, erased_at: datetime) -> str:
    return f"{ledger_id}:{digest.hex()}:{key_id.hex()}:{erased_at.astimezone(UTC).isoformat()}"


def restored_seal(*, ledger_id: int, digest: bytes) -> bytes:
    """Say that this portal made the session anew from the chain's copy, which has no meter values."""
    return sealed_text.seal_bytes(b"", purpose=RESTORED, about=_about_restored(ledger_id, digest))


def is_restored(seal: bytes | None, *, ledger_id: int, digest: bytes) -> bool:
    if seal is None:
        return False
    try:
        sealed_text.unseal_bytes(seal, purpose=RESTORED, about=_about_restored(ledger_id, digest))
    except SealedTextError:
        return False
    return True


def _about_restored(ledger_id: int, digest: bytes) -> str:
    return f"{ledger_id}:{digest.hex()}"


# --- after SECRET_KEY was changed


def add_columns() -> None:
    column_add(Column("seals of erased records", LedgerEntry, "erasure_seal", _erasure_anew))
    column_add(Column("seals of restored sessions", LedgerEntry, "restored_seal", _restored_anew))


def _erasure_anew(entry: LedgerEntry) -> bytes | None:
    if entry.erasure_seal is None or entry.erased_at is None:
        return None
    about = _about_erased(entry.pk, bytes(entry.digest), bytes(entry.data_key.key_id), entry.erased_at)
    return sealed_text.sealed_bytes_anew(bytes(entry.erasure_seal), purpose=ERASED, about=about)


def _restored_anew(entry: LedgerEntry) -> bytes | None:
    if entry.restored_seal is None:
        return None
    about = _about_restored(entry.pk, bytes(entry.digest))
    return sealed_text.sealed_bytes_anew(bytes(entry.restored_seal), purpose=RESTORED, about=about)
