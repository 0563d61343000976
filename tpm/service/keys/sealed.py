"""Sealed objects: data that only this TPM opens, kept wrapped in the service's volume.

Up to 128 bytes the TPM holds the data itself; what is longer is encrypted (AES-256-GCM) with a key that the TPM holds.
The object's auth value is HMAC(seed, name) and the file has the seed: a file that is given another name does not open.

With the policy "release" there is no auth value: approved releases open the object, and nobody else. Then the TPM
always holds a key, whatever the size, and the name is authenticated with the data (as AES-GCM's additional data).
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

from tpm.service.device.device import Device
from tpm.service.device.objects import KeyBlob, named_auth
from tpm.service.encoding import base64_text
from tpm.service.errors import ConflictError, InvalidRequestError, KeyUnusableError, NotFoundError, TooLargeError
from tpm.service.keys.policy import RELEASE, check_policy
from tpm.service.keys.volume import Document, Volume

MAX_SEALED_BYTES = 128  # that the TPM takes (MAX_SYM_DATA)
MAX_DATA_BYTES = 32 * 1024
SEED_BYTES = KEY_BYTES = 32
NONCE_BYTES = 12
FILE_VERSION = 2
OLDER_VERSION = 1  # it had no policy


@dataclass(frozen=True)
class Sealed:
    """A sealed object as callers know it (`size` in bytes, `created_at` UTC), and its wrapped parts."""

    name: str
    size: int
    policy: str | None
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

    def create(self, *, name: str, data: bytes, policy: str | None) -> tuple[Sealed, bool]:
        """Return the object and whether it is new; raises ConflictError when it exists and is another."""
        check_policy(policy, self._device)
        _check_size(data)
        with self._writing:
            sealed = self._objects.find(name)
            if sealed is not None:
                if sealed.policy != policy:
                    raise ConflictError(f"sealed object {name!r} exists with another policy", code="sealed_conflict")
                if not hmac.compare_digest(self._opened(sealed), data):
                    raise ConflictError(f"sealed object {name!r} exists and holds other data", code="sealed_conflict")
                return sealed, False
            make = self._sealed if policy is None else self._released
            sealed, document = make(name, data)
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
            secret = secrets.token_bytes(KEY_BYTES)
            ciphertext = _encrypted(secret, data, None)
        blob = self._device.seal(secret, named_auth(seed, name))
        sealed = Sealed(name, len(data), None, datetime.now(UTC), blob, ciphertext)
        return sealed, {**_to_document(sealed), "auth": base64_text(seed)}

    def _released(self, name: str, data: bytes) -> tuple[Sealed, Document]:
        key = secrets.token_bytes(KEY_BYTES)
        blob = self._device.seal_released(key)
        ciphertext = _encrypted(key, data, name.encode())
        sealed = Sealed(name, len(data), RELEASE, datetime.now(UTC), blob, ciphertext)
        return sealed, _to_document(sealed)

    def _opened(self, sealed: Sealed) -> bytes:
        if sealed.policy is None:
            secret, associated = self._device.unseal(sealed.blob), None
        else:
            secret, associated = self._device.open_released(sealed.blob), sealed.name.encode()
        if not sealed.ciphertext:
            return secret
        nonce, encrypted = sealed.ciphertext[:NONCE_BYTES], sealed.ciphertext[NONCE_BYTES:]
        try:
            return AESGCM(secret).decrypt(nonce, encrypted, associated)
        except (InvalidTag, ValueError):
            raise KeyUnusableError(f"the file of sealed object {sealed.name!r} is damaged, or another's") from None


def _encrypted(key: bytes, data: bytes, associated: bytes | None) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, associated)


def _check_size(data: bytes) -> None:
    if not data:
        raise InvalidRequestError("data: expected at least 1 byte, got 0")
    if len(data) > MAX_DATA_BYTES:
        raise TooLargeError(f"data: expected at most {MAX_DATA_BYTES} bytes, got {len(data)}", code="data_too_large")


def _to_document(sealed: Sealed) -> Document:
    head = {"version": FILE_VERSION, "size": sealed.size, "policy": sealed.policy}
    texts = {**sealed.blob.texts(), "ciphertext": base64_text(sealed.ciphertext)}
    return {**head, "created_at": sealed.created_at.isoformat(), **texts}


def _from_document(document: Document) -> Sealed:
    """Read one object; raises ValueError, KeyError or TypeError when it is none."""
    name, policy = document["name"], document["policy"]
    ciphertext = base64.b64decode(document["ciphertext"], validate=True)
    if policy is None and document["version"] in (OLDER_VERSION, FILE_VERSION):
        seed = base64.b64decode(document["auth"], validate=True)
        blob = KeyBlob.from_texts(document, named_auth(seed, name))
    elif policy == RELEASE and document["version"] == FILE_VERSION and ciphertext:
        blob = KeyBlob.from_texts(document)
    else:
        raise ValueError(f"expected version {FILE_VERSION}, got {document['version']} with the policy {policy!r}")
    return Sealed(name, int(document["size"]), policy, datetime.fromisoformat(document["created_at"]), blob, ciphertext)
