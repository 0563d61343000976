"""Text that the database keeps and must be read again: encrypted under SECRET_KEY, so that a dump tells nothing.

For secrets that are only compared a hash is better; this is for those that have to be used, as webhooks' are.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SealedTextError(Exception):
    """It was sealed under a key that is neither SECRET_KEY nor one of SECRET_KEY_FALLBACKS, or was altered."""


def seal(text: str) -> str:
    return _box().encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """The text again; raises SealedTextError."""
    try:
        return _box().decrypt(sealed).decode()
    except InvalidToken as error:
        raise SealedTextError("sealed under another SECRET_KEY: keep the old one in SECRET_KEY_FALLBACKS") from error


def _box() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _fernet(secret: str | bytes) -> Fernet:
    secret = secret.encode() if isinstance(secret, str) else secret
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"evportal.sealed_text:" + secret).digest()))
