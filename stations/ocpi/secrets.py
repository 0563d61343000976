"""The tokens that we show at our partners, encrypted where they are stored: AES-256-GCM.

The key follows from the portal's secret key, so a copy of the database alone opens none of them. After a change of
the secret key each partner has to send its credentials anew (PUT).
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

NONCE_BYTES = 12


def seal(token: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(_key()).encrypt(nonce, token.encode(), None)


def unseal(sealed: bytes) -> str | None:
    """The token; None where there is none, or the portal's secret key is another one by now."""
    try:
        return AESGCM(_key()).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None).decode()
    except (InvalidTag, ValueError):
        return None


def _key() -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=b"evportal ocpi tokens").derive(settings.SECRET_KEY.encode())
