"""The keys of the service: made in the TPM, wrapped by it, and kept in one file each in the service's volume."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tpm.service.device import Device, KeyBlob
from tpm.service.encoding import PublicKey
from tpm.service.errors import ConflictError, InvalidRequestError, KeyUsageError, NotFoundError
from tpm.service.volume import Document, Volume

NAME = r"[a-z0-9][a-z0-9-]{0,62}"
USAGES = {"ecc-p256": ("sign",), "rsa-2048": ("sign", "decrypt"), "hmac": ("sign",)}  # by type
PUBLIC_KEYS: dict[str, type] = {"ecc-p256": EllipticCurvePublicKey, "rsa-2048": RSAPublicKey, "hmac": type(None)}
FILE_VERSION = 2
READABLE_VERSIONS = (1, 2)  # 1 had the public point beside the blob, which holds it too


@dataclass(frozen=True)
class Key:
    """A key as callers know it, and its blob, which they never see. `created_at` is UTC; `public` None for hmac."""

    name: str
    type: str
    usage: str
    policy: None
    created_at: datetime
    blob: KeyBlob
    public: PublicKey | None

    def require(self, usage: str) -> None:
        """Raise KeyUsageError unless the key is for this: `sign` or `decrypt`."""
        if self.usage != usage:
            raise KeyUsageError(f"expected a key with usage {usage!r}, {self.name!r} has {self.usage!r}")


class KeyStore:
    """The keys of one TPM."""

    def __init__(self, directory: Path, device: Device) -> None:
        self._device = device
        self._writing = threading.Lock()
        self._keys = Volume(directory, _from_document)

    def all(self) -> list[Key]:
        """Return all keys, ordered by name."""
        return self._keys.all()

    def get(self, name: str) -> Key:
        """Return a key; raises NotFoundError, or KeyUnusableError when its file is damaged."""
        key = self._keys.find(name)
        if key is None:
            raise NotFoundError(f"there is no key named {name!r}", code="key_not_found")
        return key

    def create(self, *, name: str, type: str, usage: str, policy: str | None) -> tuple[Key, bool]:
        """Return the key and whether it is new; raises ConflictError when it exists and is another sort of key."""
        with self._writing:
            key = self._keys.find(name)
            if key is not None:
                if (key.type, key.usage, key.policy) != (type, usage, policy):
                    raise ConflictError(f"key {name!r} exists with another type, usage or policy")
                return key, False
            _check_supported(type, usage, policy)
            blob = self._device.create_key(type, usage)
            key = Key(name, type, usage, None, datetime.now(UTC), blob, blob.public_key())
            self._keys.add(name, key, _to_document(key))
            return key, True

    def delete(self, name: str) -> None:
        """Delete the key for ever: the file was all there was of it."""
        with self._writing:
            key = self.get(name)
            self._keys.remove(name)
        self._device.forget(key.blob)


def _check_supported(type: str, usage: str, policy: str | None) -> None:
    if type not in USAGES:
        raise InvalidRequestError(f"type: expected one of {', '.join(USAGES)}, got {type[:40]!r}")
    if usage not in USAGES[type]:
        raise InvalidRequestError(f"usage: expected {' or '.join(USAGES[type])} for {type}, got {usage[:40]!r}")
    if policy is not None:
        raise InvalidRequestError("policy: expected null")


def _to_document(key: Key) -> Document:
    head = {"version": FILE_VERSION, "type": key.type, "usage": key.usage, "policy": key.policy}
    return {**head, "created_at": key.created_at.isoformat(), **key.blob.texts()}


def _from_document(document: Document) -> Key:
    """Read one key; raises ValueError, KeyError, TypeError or KeyUnusableError when it is none."""
    if document["version"] not in READABLE_VERSIONS:
        raise ValueError(f"expected a version of {READABLE_VERSIONS}, got {document['version']}")
    name, type, usage = document["name"], document["type"], document["usage"]
    if usage not in USAGES[type]:
        raise ValueError(f"expected a usage of {USAGES[type]}, got {usage!r}")
    blob = KeyBlob.from_texts(document)
    public = blob.public_key()
    if not isinstance(public, PUBLIC_KEYS[type]):
        raise ValueError(f"expected a public key for {type}, got another")
    return Key(name, type, usage, None, datetime.fromisoformat(document["created_at"]), blob, public)
