"""PURE: the canonical record of a closed session, its digest, and the sealed copy that goes on the chain.

record   RFC 8785 JSON, integers and strings only; `evportal-session/2` where it has a member of SECOND, else /1
digest   SHA-256(salt || record), salt of 32 random bytes
sealed   0x01 || nonce(12) || AES-256-GCM(directory key, key id)(32) || AES-256-GCM(data key, deflate(salt || record))

The ledger id is associated data of both, so a copy moved to another id does not open. The key id is encrypted
too: on the chain nothing tells which copies belong to the same token.
"""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import RecordError
from stations.identifiers import same_letters

if TYPE_CHECKING:
    from stations.models import ChargingSession

FORMATS = FORMAT, SECOND_FORMAT = "evportal-session/1", "evportal-session/2"
# What a record of the second format has, at least one of: what the meter signed and what that is worth, and of what
# lines the cost is made. All others are those of the first format to the last byte.
SECOND = ("signed_meter_values", "signed_verdict", "signed_reason", "meter_public_key", "cost_lines")
ABSENT = "(absent)"
SALT_BYTES = KEY_BYTES = 32
KEY_ID_BYTES = 16
NONCE_BYTES = 12
VERSION = b"\x01"
_MARK = b"evportal-credit/1"
_HEADER_BYTES = KEY_ID_BYTES + 16  # with the GCM tag

# Deflate's preset dictionary: what nearly every record has in common, the most frequent last (RFC 1950 section 2.2).
# Part of version 1 of the copy: a change here needs a new version byte.
_DICTIONARY = (
    b'"credit_reference_id":"MacAddressKeyCodeCentralLocaleMAID"meter_values_sha256":"INVALIDSTATIONOCPP'
    b'"flags":["zero_energy"],"meter_start_wh":0,"meter_stop_wh":"stop_reason":"EVDisconnectedLocalRemote",'
    b'{"connector_id":1,"cost_minor":0,"currency":"USDEUR","energy_wh":1,"evse_id":1,"format":"evportal-session/1",'
    b'"id":"-4","id_token":{"type":"ISO14443","uid":"04"},"location":{"country":"DEUUSA","id":"","name":"",'
    b'"time_zone":"Europe/BerlinAmerica/New_York"},"source":"IMPORT","started_at":"20T00:Z","station":"",'
    b'"status":"COMPLETED","stopped_at":"20T00:Z","transaction_id":"'
)


def utc_text(moment: datetime) -> str:
    """RFC 3339 in UTC, fractions only where there are any."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


class Recorded(NamedTuple):
    """What of a closed session is recorded, in the order of `LOOKUPS`: so lists are compared without making objects."""

    id: Any
    transaction_id: str
    station: str
    evse_id: int
    connector_id: int
    location: dict[str, Any]
    token_uid: str | None
    token_type: str | None
    status: str
    started_at: datetime
    stopped_at: datetime | None
    meter_start_wh: int | None
    meter_stop_wh: int | None
    energy_wh: int | None
    cost_minor: int | None
    currency: str
    tariff: dict[str, Any]
    stop_reason: str
    source: str
    flags: list[str]
    meter_values_sha256: str
    credit: bool
    credit_reference_id: Any
    written: dict[str, str] = {}
    signed_meter_values: Sequence[dict[str, str]] = ()
    signed_verdict: str = ""
    signed_reason: str = ""
    meter_public_key: str = ""
    cost_lines: Sequence[dict[str, Any]] = ()


# The same as columns, seen from the session.
LOOKUPS = (
    *("id", "transaction_id", "station__identity", "connector__evse_id", "connector__connector_id", "location"),
    *("id_token__uid", "id_token__type", "status", "started_at", "stopped_at", "meter_start_wh", "meter_stop_wh"),
    *("energy_wh", "cost_minor", "currency", "tariff", "stop_reason", "source", "flags", "meter_values_sha256"),
    *("credit", "credit_reference_id", "written", *SECOND),
)
_OWN = attrgetter(*LOOKUPS[8:])  # columns of the session itself


def record_of(session: "ChargingSession") -> dict[str, Any]:
    """The fields of a closed session that are recorded; what is not known is left out, never null."""
    token = session.id_token
    place = (session.station.identity, session.connector.evse_id, session.connector.connector_id, session.location)
    known = (token.uid, token.type) if token else (None, None)
    return fields_of(Recorded(session.pk, session.transaction_id, *place, *known, *_OWN(session)))


def fields_of(row: Recorded) -> dict[str, Any]:
    """The same of a session's columns; raises RecordError where it is not closed."""
    if row.stopped_at is None or row.status == "ACTIVE":
        raise RecordError(f"session {row.id} is {row.status}: only closed sessions have a record")
    second = {name: value for name in SECOND if (value := getattr(row, name))}
    fields: dict[str, Any] = {
        "format": SECOND_FORMAT if second else FORMAT,
        "id": str(row.id),
        "transaction_id": _written(row, "transaction_id", row.transaction_id),
        "station": _written(row, "station", row.station),
        "evse_id": row.evse_id,
        "connector_id": row.connector_id,
        "location": row.location,
        "id_token": None if row.token_uid is None else _token(row),
        "status": row.status,
        "started_at": utc_text(row.started_at),
        "stopped_at": utc_text(row.stopped_at),
        "meter_start_wh": row.meter_start_wh,
        "meter_stop_wh": row.meter_stop_wh,
        "energy_wh": row.energy_wh,
        "cost_minor": row.cost_minor,
        "currency": row.currency or None,
        "tariff": row.tariff or None,
        "stop_reason": row.stop_reason or None,
        "source": row.source,
        "flags": row.flags or None,
        "meter_values_sha256": row.meter_values_sha256 or None,
        "credit_reference_id": str(row.credit_reference_id) if row.credit else None,
        **second,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _token(row: Recorded) -> dict[str, str | None]:
    return {"uid": _written(row, "id_token", row.token_uid or ""), "type": row.token_type}


def _written(row: Recorded, name: str, now: str) -> str:
    """As it was written when it was recorded, where another writing of the same is kept now; nothing else passes.

    A number that stood twice was given an ending with ~, which no station can write.
    """
    kept = row.written.get(name) if isinstance(row.written, dict) else None  # whoever writes there may write anything
    return kept if isinstance(kept, str) and same_letters(kept, now.partition("~")[0]) else now


def written_in_vain(row: Recorded) -> bool:
    """Whether `written` says anything that is no other writing of what the row says."""
    now = {"transaction_id": row.transaction_id, "station": row.station, "id_token": row.token_uid or ""}
    kept = row.written
    return not isinstance(kept, dict) or any(
        name not in now or _written(row, name, now[name]) != said for name, said in kept.items()
    )


def canonical(record: Mapping[str, Any]) -> bytes:
    """RFC 8785 bytes; refuses floats, booleans, nulls and integers outside +-(2^53 - 1)."""
    try:
        if _alike(record):
            return _ENCODER.encode(record).encode()
    except UnicodeEncodeError:
        pass  # rfc8785 says which text it is
    _only_integers_and_strings(record, "record")
    try:
        return rfc8785.dumps(dict(record))
    except rfc8785.CanonicalizationError as error:
        raise RecordError(f"the record has no canonical form: {error}") from error


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
_INTEGER_MAX = 2**53 - 1


def _alike(value: Any) -> bool:
    """Whether Python's own encoder, which takes a tenth of the time, writes this as RFC 8785 does.

    So it does integers up to 2^53 - 1 and all text; members it orders otherwise where names leave ASCII.
    """
    kind = type(value)
    if kind is dict:
        for name, item in value.items():
            if not (type(name) is str and name.isascii() and (isinstance(item, str) or _alike(item))):
                return False
        return True
    if kind is int:
        return bool(-_INTEGER_MAX <= value <= _INTEGER_MAX)
    return isinstance(value, str) or (kind is list and all(map(_alike, value)))


def is_known_form(record: Mapping[str, Any], recorded: bytes) -> bool:
    """Whether `recorded` are surely the RFC 8785 bytes of this record; where this says no, `canonical` decides.

    Lists compare many records. Python's own encoder writes integers and text as RFC 8785 does, and takes a tenth of
    the time; equal bytes are equal values, whatever it writes otherwise.
    """
    try:
        return _ENCODER.encode(record).encode() == recorded
    except (TypeError, ValueError):  # no JSON at all, or text that is not Unicode
        return False


def _only_integers_and_strings(value: Any, path: str) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            _only_integers_and_strings(item, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            _only_integers_and_strings(item, path)
    elif isinstance(value, bool) or not isinstance(value, int | str):
        raise RecordError(f"{path}: expected an integer or a string, got {type(value).__name__}")


def new_salt() -> bytes:
    return os.urandom(SALT_BYTES)


def digest(salt: bytes, canonical_record: bytes) -> bytes:
    """SHA-256(salt || record), 32 bytes."""
    if len(salt) != SALT_BYTES:
        raise RecordError(f"salt: expected {SALT_BYTES} bytes, got {len(salt)}")
    return hashlib.sha256(salt + canonical_record).digest()


def credit_mark(salt: bytes, digest: bytes) -> bytes:
    """What is recorded beside a credit: noise, but for those who know salt and digest of the session it takes back."""
    if len(salt) != SALT_BYTES or len(digest) != SALT_BYTES:
        raise RecordError(f"credit mark: expected 32 and 32 bytes, got {len(salt)} and {len(digest)}")
    return hashlib.sha256(_MARK + salt + digest).digest()


def digest_holds(salt: bytes, canonical_record: bytes, expected: bytes) -> bool:
    """Is this the digest of these? Says no, too, where the salt is none."""
    return len(salt) == SALT_BYTES and digest(salt, canonical_record) == expected


@dataclass(frozen=True)
class Opened:
    """What a sealed copy held."""

    salt: bytes
    canonical: bytes

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.canonical)
        return found


def _bound(ledger_id: int, part: bytes) -> bytes:
    return part + struct.pack("<Q", ledger_id)


def seal(*, ledger_id: int, salt: bytes, canonical_record: bytes, key_id: bytes, key: bytes, directory: bytes) -> bytes:
    """The copy for the chain. A fresh nonce each time: a batch that is built anew never repeats one."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_DICTIONARY)
    packed = deflate.compress(salt + canonical_record) + deflate.flush()
    nonce = os.urandom(NONCE_BYTES)
    header = AESGCM(directory).encrypt(nonce, key_id, _bound(ledger_id, b"key"))
    return VERSION + nonce + header + AESGCM(key).encrypt(nonce, packed, _bound(ledger_id, b"copy"))


def _split(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    shortest = len(VERSION) + NONCE_BYTES + _HEADER_BYTES
    if len(sealed) < shortest or sealed[:1] != VERSION:
        raise RecordError(f"sealed copy: expected version 1 and at least {shortest} bytes, got {len(sealed)}")
    nonce, rest = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    return nonce, rest[:_HEADER_BYTES], rest[_HEADER_BYTES:]


def key_id_of(*, ledger_id: int, sealed: bytes, directory: bytes) -> bytes:
    """Which data key opens this copy."""
    nonce, header, _ = _split(sealed)
    try:
        return AESGCM(directory).decrypt(nonce, header, _bound(ledger_id, b"key"))
    except InvalidTag as error:
        raise RecordError(f"sealed copy {ledger_id}: not sealed under this directory key, or altered") from error


def open_sealed(*, ledger_id: int, sealed: bytes, key: bytes) -> Opened:
    """The salt and canonical record inside; raises RecordError where the key or the copy is another."""
    nonce, _, body = _split(sealed)
    try:
        packed = AESGCM(key).decrypt(nonce, body, _bound(ledger_id, b"copy"))
        plain = zlib.decompressobj(-15, zdict=_DICTIONARY).decompress(packed)
    except (InvalidTag, zlib.error) as error:
        raise RecordError(f"sealed copy {ledger_id}: not sealed under this data key, or altered") from error
    return Opened(salt=plain[:SALT_BYTES], canonical=plain[SALT_BYTES:])


def changed_fields(recorded: bytes, now: bytes) -> Iterator[tuple[str, str, str]]:
    """(field, recorded value, value now) of two canonical records."""
    try:
        before: Mapping[str, Any] = json.loads(recorded)
        after: Mapping[str, Any] = json.loads(now)
        names = sorted(before.keys() | after.keys())
    except (ValueError, AttributeError):
        return
    for name in names:
        if before.get(name) != after.get(name):
            yield name, str(before.get(name, ABSENT)), str(after.get(name, ABSENT))
