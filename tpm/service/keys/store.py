"""The keys of the service: made in the TPM, wrapped by it, and kept in one file each in the service's volume.

A key's auth value is HMAC(secret, name): a file that is given another name does not open. With the policy "release" the
secret is sealed under that policy and opens for approved releases only; without a policy the file has it (`seed`).
"""

import base64
import secrets
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tpm.service.device.device import Device
from tpm.service.device.objects import Guard, KeyBlob, named_auth
from tpm.service.encoding import PublicKey, base64_text
from tpm.service.errors import ConflictError, InvalidRequestError, KeyUsageError, NotFoundError
from tpm.service.keys.policy import RELEASE, check_policy
from tpm.service.keys.volume import Document, Volume

NAME = r"[a-z0-9][a-z0-9-]{0,62}"
USAGES = {"ecc-p256": ("sign",), "rsa-2048": ("sign", "decrypt"), "hmac": ("sign",)}  # by type
PUBLIC_KEYS: dict[str, type] = {"ecc-p256": EllipticCurvePublicKey, "rsa-2048": RSAPublicKey, "hmac": type(None)}
SECRET_BYTES = 32
FILE_VERSION = 3
OLDER_VERSIONS = (1, 2)  # they have the auth value itself; 1 had the public point beside the blob, which holds it too


@dataclass(frozen=True)
class Key:
    """A key as callers know it, and its blob, which they never see. `created_at` is UTC; `public` None for hmac."""

    name: str
    type: str
    usage: str
    policy: str | None
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
        check_policy(policy, self._device)
        with self._writing:
            key = self._keys.find(name)
            if key is not None:
                if (key.type, key.usage, key.policy) != (type, usage, policy):
                    raise ConflictError(f"key {name!r} exists with another type, usage or policy")
                return key, False
            _check_supported(type, usage)
            secret = secrets.token_bytes(SECRET_BYTES)
            blob = self._device.create_key(type, usage, named_auth(secret, name))
            if policy == RELEASE:
                blob = replace(blob, auth=b"", guard=Guard(self._device.seal_released(secret), name))
            key = Key(name, type, usage, policy, datetime.now(UTC), blob, blob.public_key())
            self._keys.add(name, key, _to_document(key, secret))
            return key, True

    def delete(self, name: str) -> None:
        """Delete the key for ever: the file was all there was of it."""
        with self._writing:
            key = self.get(name)
            self._keys.remove(name)
        self._device.forget(key.blob)


def _check_supported(type: str, usage: str) -> None:
    if type not in USAGES:
        raise InvalidRequestError(f"type: expected one of {', '.join(USAGES)}, got {type[:40]!r}")
    if usage not in USAGES[type]:
        raise InvalidRequestError(f"usage: expected {' or '.join(USAGES[type])} for {type}, got {usage[:40]!r}")


def _to_document(key: Key, secret: bytes) -> Document:
    head = {"version": FILE_VERSION, "type": key.type, "usage": key.usage, "policy": key.policy}
    guard = {"guard": key.blob.guard.sealed.texts()} if key.blob.guard else {"seed": base64_text(secret)}
    return {**head, "created_at": key.created_at.isoformat(), **key.blob.texts(), **guard}


def _from_document(document: Document) -> Key:
    """Read one key; raises ValueError, KeyError, TypeError or KeyUnusableError when it is none."""
    name, type, usage, policy = (document[part] for part in ("name", "type", "usage", "policy"))
    if usage not in USAGES[type]:
        raise ValueError(f"expected a usage of {USAGES[type]}, got {usage!r}")
    blob = _blob(document, name, policy)
    public = blob.public_key()
    if not isinstance(public, PUBLIC_KEYS[type]):
        raise ValueError(f"expected a public key for {type}, got another")
    return Key(name, type, usage, policy, datetime.fromisoformat(document["created_at"]), blob, public)


def _blob(document: Document, name: str, policy: object) -> KeyBlob:
    version = document["version"]
    if version in OLDER_VERSIONS and policy is None:
        return KeyBlob.from_texts(document, base64.b64decode(document["auth"], validate=True))
    if version != FILE_VERSION:
        raise ValueError(f"expected a version of {(*OLDER_VERSIONS, FILE_VERSION)}, got {version}")
    if policy == RELEASE:
        return KeyBlob.from_texts(document, guard=Guard(KeyBlob.from_texts(document["guard"]), name))
    if policy is not None:
        raise ValueError(f"expected the policy null or {RELEASE!r}, got {policy!r}")
    return KeyBlob.from_texts(document, named_auth(base64.b64decode(document["seed"], validate=True), name))
