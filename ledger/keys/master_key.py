"""PURE: the ledger's master key, an HPKE key pair (RFC 9180: X25519, HKDF-SHA256, AES-256-GCM, mode base).

public half   wraps a data key: enc(32) || AES-256-GCM(data key)(48), info = "evportal-data-key/1" || 0x00 || key id
secret        the private half and the directory key, JSON: what the TPM seals
recovery      the secret wrapped for the offline recovery key, info = "evportal-master-key/1" || 0x00 || id
id            the first 8 bytes of SHA-256(public half), hex: a public half that was altered does not fit its id

A master key of version 1 (`PlainMaster`) was an AES-256 key in the portal's own file; it is read until it is replaced.
"""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ledger.errors import MasterKeyMissing, RecoveryKeyError

DOCUMENT_FORMAT = "evportal-master-key/1"
KEY_BYTES, NONCE_BYTES = 32, 12  # of AES-256-GCM, as of the records (ledger/record.py)
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_DATA_KEY_INFO = b"evportal-data-key/1\x00"
_RECOVERY_INFO = b"evportal-master-key/1\x00"


def public_id(public: bytes) -> str:
    """The id of a master key (16 hex digits), from its public half."""
    return hashlib.sha256(public).digest()[:8].hex()


@dataclass(frozen=True)
class Secret:
    """What opens data keys and tells which data key a copy on the chain belongs to; never on the portal's disk."""

    private: X25519PrivateKey = field(repr=False)
    directory: bytes = field(repr=False)

    @classmethod
    def new(cls, directory: bytes) -> "Secret":
        return cls(X25519PrivateKey.generate(), directory)

    @classmethod
    def from_bytes(cls, document: bytes) -> "Secret":
        """Read what `to_bytes` wrote; raises MasterKeyMissing for anything else, and tells nothing of it."""
        try:
            content = json.loads(document)
            if content["format"] != DOCUMENT_FORMAT:
                raise ValueError(DOCUMENT_FORMAT)
            private = X25519PrivateKey.from_private_bytes(base64.b64decode(content["private"], validate=True))
            directory = base64.b64decode(content["directory"], validate=True)
            if len(directory) != KEY_BYTES:
                raise ValueError(KEY_BYTES)
        except (ValueError, KeyError, TypeError):
            raise MasterKeyMissing(f"expected a master key of format {DOCUMENT_FORMAT}, got something else") from None
        return cls(private, directory)

    def to_bytes(self) -> bytes:
        texts = {"private": self.private.private_bytes_raw(), "directory": self.directory}
        content = {name: base64.b64encode(value).decode() for name, value in texts.items()}
        return json.dumps({"format": DOCUMENT_FORMAT, **content}).encode()

    @cached_property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        return public_id(self.public)

    def unwrap(self, key_id: bytes, wrapped: bytes) -> bytes:
        """The data key; raises MasterKeyMissing where it was wrapped for another master key or key id, or altered."""
        try:
            return _SUITE.decrypt(wrapped, self.private, _DATA_KEY_INFO + key_id)
        except InvalidTag as error:
            raise MasterKeyMissing(f"data key {key_id.hex()}: master key {self.id} does not fit") from error


def wrap(public: bytes, key_id: bytes, key: bytes) -> bytes:
    """A data key wrapped for the master key with this public half (80 bytes)."""
    return _SUITE.encrypt(key, X25519PublicKey.from_public_bytes(public), _DATA_KEY_INFO + key_id)


@dataclass(frozen=True)
class PlainMaster:
    """A master key of version 1, in the clear."""

    id: str
    key: bytes = field(repr=False)
    directory: bytes = field(repr=False)

    def wrap(self, key_id: bytes, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, key, key_id)

    def unwrap(self, key_id: bytes, wrapped: bytes) -> bytes:
        """As `Secret.unwrap`, from nonce(12) || AES-256-GCM(data key)(48), with the key id as associated data."""
        try:
            return AESGCM(self.key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id)
        except (InvalidTag, ValueError) as error:
            raise MasterKeyMissing(f"data key {key_id.hex()}: master key {self.id} does not fit") from error


@dataclass(frozen=True)
class SealedMaster:
    """A master key as the portal's disk has it: nothing here opens a data key.

    `sealed` names the TPM service's object with the secret, usable under `policy`; `recovery` is the secret wrapped
    for the recovery key with the fingerprint `recovery_key`; `made_at` is UTC in ISO 8601.
    """

    id: str
    public: bytes
    made_at: str
    sealed: str
    policy: str | None
    recovery: bytes
    recovery_key: str

    def wrap(self, key_id: bytes, key: bytes) -> bytes:
        return wrap(self.public, key_id, key)


# --- the offline recovery key


def recovery_wrap(secret: Secret, recovery_key: X25519PublicKey) -> bytes:
    return _SUITE.encrypt(secret.to_bytes(), recovery_key, _RECOVERY_INFO + secret.id.encode())


def recovery_open(master: SealedMaster, recovery_key: X25519PrivateKey) -> Secret:
    """The secret of this master key; raises RecoveryKeyError where the recovery key is another, or the wrap altered."""
    found = fingerprint(recovery_key.public_key())
    if found != master.recovery_key:
        raise RecoveryKeyError(
            f"this is recovery key {found}, but master key {master.id} was wrapped for recovery key "
            f"{master.recovery_key}: nothing was changed"
        )
    try:
        secret = Secret.from_bytes(_SUITE.decrypt(master.recovery, recovery_key, _RECOVERY_INFO + master.id.encode()))
    except (InvalidTag, MasterKeyMissing) as error:
        raise RecoveryKeyError(f"the recovery copy of master key {master.id} was altered: it does not open") from error
    if secret.public != master.public:
        raise RecoveryKeyError(f"the recovery copy of master key {master.id} holds another key, {secret.id}")
    return secret


def fingerprint(recovery_key: X25519PublicKey) -> str:
    """What people compare: the first 16 bytes of SHA-256(public key), hex."""
    return hashlib.sha256(recovery_key.public_bytes_raw()).digest()[:16].hex()


def recovery_key_new(passphrase: bytes | None = None) -> tuple[bytes, bytes]:
    """A recovery key pair: (private PEM, PKCS #8, encrypted where there is a passphrase; public PEM)."""
    private = X25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), public


def recovery_public_load(pem: str) -> X25519PublicKey:
    """Read a public PEM; raises RecoveryKeyError."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError as error:
        raise RecoveryKeyError("the recovery public key: expected a PEM, -----BEGIN PUBLIC KEY-----") from error
    if not isinstance(key, X25519PublicKey):
        raise RecoveryKeyError(f"the recovery public key: expected an X25519 key, got {type(key).__name__}")
    return key


def recovery_private_is_encrypted(pem: bytes) -> bool:
    return b"ENCRYPTED PRIVATE KEY" in pem


def recovery_private_load(pem: bytes, passphrase: bytes | None = None) -> X25519PrivateKey:
    """Read a private PEM; raises RecoveryKeyError, for a wrong passphrase too."""
    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError as error:  # a passphrase is missing, or there is one too many
        raise RecoveryKeyError(f"the recovery key: {error}") from error
    except ValueError as error:
        what = "the passphrase is wrong, or the file damaged" if passphrase else "expected a PEM with a private key"
        raise RecoveryKeyError(f"the recovery key: {what}") from error
    if not isinstance(key, X25519PrivateKey):
        raise RecoveryKeyError(f"the recovery key: expected an X25519 key, got {type(key).__name__}")
    return key
