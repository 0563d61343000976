"""Sealed objects: data that only this TPM opens, kept wrapped in the service's volume.

Up to 128 bytes the TPM holds the data itself; what is longer is encrypted (AES-256-GCM) with a key that the TPM holds.
The object's auth value is HMAC(seed, name) and the file has the seed: a file that is given another name does not open.
"""

import base64
import hmac
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tpm.service.device import Device, KeyBlob
from tpm.service.encoding import base64_text
from tpm.service.errors import ConflictError, InvalidRequestError, KeyUnusableError, NotFoundError, TooLargeError
from tpm.service.volume import Document, Volume

MAX_SEALED_BYTES = 128  # that the TPM takes (MAX_SYM_DATA)
MAX_DATA_BYTES = 32 * 1024
SEED_BYTES = KEY_BYTES = 32
NONCE_BYTES = 12
FILE_VERSION = 1


@dataclass(frozen=True)
class Sealed:
    """A sealed object as callers know it (`size` in bytes, `created_at` UTC), and its wrapped parts."""

    name: str
    size: int
    policy: None
    created_at: datetime
    blob: KeyBlob
    ciphertext: bytes  # nonce and AES-GCM's output; empty when the TPM holds the data itself


class SealedStore:
    """The sealed objects of one TPM. An object never changes: to replace one, delete it first."""

    def __init__(self, directory: Path, device: Device) -> None:
        self._device = device
        self._writing = threading.Lock()
        self._objects = Volume(directory, _from_document)

    def all(self) -> list[Sealed]:
        """Return all objects, ordered by name."""
        return self._objects.all()

    def get(self, name: str) -> Sealed:
        """Return an object; raises NotFoundError, or KeyUnusableError when its file is damaged."""
        sealed = self._objects.find(name)
        if sealed is None:
            raise NotFoundError(f"there is no sealed object named {name!r}", code="sealed_not_found")
        return sealed

    def create(self, *, name: str, data: bytes, policy: object) -> tuple[Sealed, bool]:
        """Return the object and whether it is new; raises ConflictError when it exists and holds something else."""
        if policy is not None:
            raise InvalidRequestError("policy: expected null")
        _check_size(data)
        with self._writing:
            sealed = self._objects.find(name)
            if sealed is not None:
                if not hmac.compare_digest(self._opened(sealed), data):
                    raise ConflictError(f"sealed object {name!r} exists and holds other data", code="sealed_conflict")
                return sealed, False
            sealed, document = self._sealed(name, data)
            self._objects.add(name, sealed, document)
            return sealed, True

    def unseal(self, name: str) -> bytes:
        """Return the data; raises NotFoundError, and KeyUnusableError when the file does not fit this TPM or name."""
        return self._opened(self.get(name))

    def delete(self, name: str) -> None:
        """Delete the object for ever: the file was all there was of it."""
        with self._writing:
            self.get(name)
            self._objects.remove(name)

    def _sealed(self, name: str, data: bytes) -> tuple[Sealed, Document]:
        seed, secret, ciphertext = secrets.token_bytes(SEED_BYTES), data, b""
        if len(data) > MAX_SEALED_BYTES:
            secret, nonce = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES)
            ciphertext = nonce + AESGCM(secret).encrypt(nonce, data, None)
        blob = self._device.seal(secret, _auth(seed, name))
        sealed = Sealed(name, len(data), None, datetime.now(UTC), blob, ciphertext)
        return sealed, _to_document(sealed, seed)

    def _opened(self, sealed: Sealed) -> bytes:
        secret = self._device.unseal(sealed.blob)
        if not sealed.ciphertext:
            return secret
        nonce, encrypted = sealed.ciphertext[:NONCE_BYTES], sealed.ciphertext[NONCE_BYTES:]
        try:
            return AESGCM(secret).decrypt(nonce, encrypted, None)
        except (InvalidTag, ValueError):
            raise KeyUnusableError(f"the file of sealed object {sealed.name!r} is damaged") from None


def _check_size(data: bytes) -> None:
    if not data:
        raise InvalidRequestError("data: expected at least 1 byte, got 0")
    if len(data) > MAX_DATA_BYTES:
        raise TooLargeError(f"data: expected at most {MAX_DATA_BYTES} bytes, got {len(data)}", code="data_too_large")


def _auth(seed: bytes, name: str) -> bytes:
    return hmac.digest(seed, name.encode(), "sha256")


def _to_document(sealed: Sealed, seed: bytes) -> Document:
    head = {"version": FILE_VERSION, "size": sealed.size, "policy": sealed.policy}
    texts = {**sealed.blob.texts(), "auth": base64_text(seed), "ciphertext": base64_text(sealed.ciphertext)}
    return {**head, "created_at": sealed.created_at.isoformat(), **texts}


def _from_document(document: Document) -> Sealed:
    """Read one object; raises ValueError, KeyError or TypeError when it is none."""
    if document["version"] != FILE_VERSION:
        raise ValueError(f"expected version {FILE_VERSION}, got {document['version']}")
    name, stored = document["name"], KeyBlob.from_texts(document)
    blob = KeyBlob(stored.public, stored.private, _auth(stored.auth, name))
    created_at = datetime.fromisoformat(document["created_at"])
    ciphertext = base64.b64decode(document["ciphertext"], validate=True)
    return Sealed(name, int(document["size"]), None, created_at, blob, ciphertext)
