"""What the database keeps and must be read again: encrypted under SECRET_KEY, so that a dump tells nothing.

For secrets that are only compared a hash is better; this is for those that have to be used, as webhooks' are. Text is
sealed with Fernet; keys, for which a column may be short, with AES-256-GCM. What was sealed under one of
SECRET_KEY_FALLBACKS opens, too: `manage.py reseal` seals it anew.
"""

import base64
import hashlib
import os
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

NONCE_BYTES = 12
KEY_BYTES = 32


class SealedTextError(Exception):
    """It was sealed under a key that is neither SECRET_KEY nor one of SECRET_KEY_FALLBACKS, or was altered."""

    def __init__(self) -> None:
        super().__init__("sealed under another SECRET_KEY: keep the old one in SECRET_KEY_FALLBACKS")


def seal(text: str) -> str:
    """Encrypted under SECRET_KEY; `unseal` has it back."""
    return _box().encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """The text again; raises SealedTextError."""
    try:
        return _box().decrypt(sealed).decode()
    except InvalidToken as error:
        raise SealedTextError from error


def sealed_anew(sealed: str) -> str | None:
    """The same sealed under SECRET_KEY, None where it is; raises SealedTextError."""
    with suppress(InvalidToken):
        _fernet(settings.SECRET_KEY).decrypt(sealed)
        return None
    return seal(unseal(sealed))


def seal_bytes(data: bytes, *, purpose: str, about: str = "") -> bytes:
    """28 bytes more than the data. It opens only for the same purpose and, with `about`, where it belongs."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(_key(settings.SECRET_KEY, purpose)).encrypt(nonce, data, about.encode())


def unseal_bytes(sealed: bytes, *, purpose: str, about: str = "") -> bytes:
    """The data again; raises SealedTextError."""
    for secret in _secrets():
        with suppress(InvalidTag, ValueError):
            return _opened(sealed, secret, purpose, about)
    raise SealedTextError


def sealed_bytes_anew(sealed: bytes, *, purpose: str, about: str = "") -> bytes | None:
    """The same sealed under SECRET_KEY, None where it is; raises SealedTextError."""
    with suppress(InvalidTag, ValueError):
        _opened(sealed, settings.SECRET_KEY, purpose, about)
        return None
    return seal_bytes(unseal_bytes(sealed, purpose=purpose, about=about), purpose=purpose, about=about)


def _opened(sealed: bytes, secret: str, purpose: str, about: str) -> bytes:
    return AESGCM(_key(secret, purpose)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode())


def _secrets() -> list[str]:
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def _key(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(secret.encode())


def _box() -> MultiFernet:
    return MultiFernet([_fernet(secret) for secret in _secrets()])


def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"evportal.sealed_text:" + secret.encode()).digest()))
