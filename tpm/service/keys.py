"""The keys of the service: made in the TPM, wrapped by it, and kept in one file each in the service's volume."""

import base64
import json
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tpm.service.device import Device, KeyBlob
from tpm.service.encoding import (
    MalformedSignatureError,
    Point,
    Signature,
    public_key_eosio,
    public_key_pem,
    signature_der,
    signature_eosio,
    signature_jws,
    signature_valid,
)
from tpm.service.errors import ConflictError, InvalidEncodingError, InvalidRequestError, KeyUnusableError, NotFoundError

log = logging.getLogger(__name__)

NAME = r"[a-z0-9][a-z0-9-]{0,62}"
KEY_TYPE = "ecc-p256"
USAGE = "sign"
FILE_VERSION = 1


@dataclass(frozen=True)
class Key:
    """A key as callers know it, and its blob, which they never see. `created_at` is UTC."""

    name: str
    type: str
    usage: str
    policy: None
    created_at: datetime
    blob: KeyBlob
    public_key_pem: str
    public_key_eosio: str


class KeyStore:
    """The keys of one TPM. Files are written whole or not at all; one service owns the directory."""

    def __init__(self, directory: Path, device: Device) -> None:
        self._directory = directory
        self._device = device
        self._writing = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._keys = _read_all(directory)

    def all(self) -> list[Key]:
        """Return all keys, ordered by name."""
        return [key for _, key in sorted(self._keys.items())]

    def get(self, name: str) -> Key:
        """Return a key; raises NotFoundError, or KeyUnusableError when its file is damaged."""
        key = self._find(name)
        if key is None:
            raise NotFoundError(f"there is no key named {name!r}", code="key_not_found")
        return key

    def create(self, *, name: str, type: str, usage: str, policy: str | None) -> tuple[Key, bool]:
        """Return the key and whether it is new; raises ConflictError when it exists and is another sort of key."""
        with self._writing:
            key = self._find(name)
            if key is not None:
                if (key.type, key.usage, key.policy) != (type, usage, policy):
                    raise ConflictError(f"key {name!r} exists with another type, usage or policy")
                return key, False
            _check_supported(type, usage, policy)
            key = _key(name, datetime.now(UTC), self._device.create_key())
            _write(self._path(name), _to_file(key))
            self._keys[name] = key
            return key, True

    def delete(self, name: str) -> None:
        """Delete the key for ever: the file was all there was of it."""
        with self._writing:
            key = self.get(name)
            self._path(name).unlink()
            _sync_directory(self._directory)
            del self._keys[name]
        self._device.forget(key.blob)

    def sign(self, name: str, items: Sequence[tuple[bytes, str]]) -> list[str]:
        """Sign (digest, format) pairs, format `der`, `jws` or `eosio`; the texts come in the same order."""
        key = self.get(name)
        signatures = self._device.sign(key.blob, [digest for digest, _ in items])
        return [
            _text(form, digest, signature, key.blob.point)
            for (digest, form), signature in zip(items, signatures, strict=True)
        ]

    def verify(self, name: str, digest: bytes, form: str, signature: str) -> bool:
        """Tell whether the key made this signature; raises InvalidEncodingError when it is not one of the format."""
        try:
            return signature_valid(form, signature, digest, self.get(name).blob.point)
        except MalformedSignatureError as error:
            raise InvalidEncodingError(f"signature: {error}") from None

    def _find(self, name: str) -> Key | None:
        key = self._keys.get(name)
        if key is None and self._path(name).exists():
            raise KeyUnusableError(f"the file of key {name!r} is damaged: restore it from a backup, or remove it")
        return key

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _check_supported(type: str, usage: str, policy: str | None) -> None:
    if type != KEY_TYPE:
        raise InvalidRequestError(f"type: expected {KEY_TYPE!r}, got {type!r}")
    if usage != USAGE:
        raise InvalidRequestError(f"usage: expected {USAGE!r}, got {usage!r}")
    if policy is not None:
        raise InvalidRequestError(f"policy: expected null, got {policy!r}")


def _text(form: str, digest: bytes, signature: Signature, public: Point) -> str:
    if form == "eosio":
        return signature_eosio(digest, signature, public)
    return signature_der(signature) if form == "der" else signature_jws(signature)


def _key(name: str, created_at: datetime, blob: KeyBlob) -> Key:
    pem, eosio = public_key_pem(blob.point), public_key_eosio(blob.point)
    return Key(name, KEY_TYPE, USAGE, None, created_at, blob, pem, eosio)


def _to_file(key: Key) -> bytes:
    blob = key.blob
    x, y = blob.point
    binary = {
        "point": x.to_bytes(32) + y.to_bytes(32),
        "public": blob.public,
        "private": blob.private,
        "auth": blob.auth,
    }
    texts = {name: base64.b64encode(value).decode() for name, value in binary.items()}
    head = {"version": FILE_VERSION, "name": key.name, "type": key.type, "usage": key.usage, "policy": key.policy}
    return json.dumps({**head, "created_at": key.created_at.isoformat(), **texts}, indent=1).encode()


def _from_file(path: Path) -> Key:
    """Read one key; raises ValueError, KeyError or TypeError when the file is not what `_to_file` writes."""
    data = json.loads(path.read_bytes())
    if (data["version"], data["name"]) != (FILE_VERSION, path.stem):
        raise ValueError(f"expected version {FILE_VERSION} of {path.stem!r}, got {data['version']} of {data['name']!r}")
    point, public, private, auth = (
        base64.b64decode(data[name], validate=True) for name in ("point", "public", "private", "auth")
    )
    blob = KeyBlob((int.from_bytes(point[:32]), int.from_bytes(point[32:])), public, private, auth)
    return _key(data["name"], datetime.fromisoformat(data["created_at"]), blob)


def _read_all(directory: Path) -> dict[str, Key]:
    """Read all keys. A damaged file is left out and reported: the other keys go on working, and nothing replaces it."""
    for unfinished in directory.glob(".*.new"):
        unfinished.unlink()
    keys = {}
    for path in directory.glob("*.json"):
        try:
            keys[path.stem] = _from_file(path)
        except (ValueError, KeyError, TypeError) as error:
            log.error("key file %s is damaged: %s", path, error)
    return keys


def _write(path: Path, content: bytes) -> None:
    """Write a new file atomically and durably, readable by the service alone."""
    building = path.with_name(f".{path.name}.new")
    descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    building.rename(path)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
