"""PURE: TPM2_MakeCredential in software (TPM 2.0 Library, Part 1, 24).

Only the TPM with this EK opens what is made here, and only for this AK.
"""

import hashlib
import hmac
import secrets
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:  # before version 47
    from cryptography.hazmat.primitives.ciphers.modes import CFB

from witness.tpm.public import HASHES, Public

_HASH = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}


class Challenge(NamedTuple):
    """A TPM2B_ID_OBJECT and a TPM2B_ENCRYPTED_SECRET."""

    blob: bytes
    secret: bytes


def make_credential(ek: Public, ak_name: bytes, credential: bytes) -> Challenge:
    """Encrypt the credential, 32 bytes, for the TPM of this EK and the AK of this name."""
    assert ek.rsa is not None
    algorithm = HASHES[ek.name_algorithm]
    size = hashlib.new(algorithm).digest_size
    seed = secrets.token_bytes(size)
    oaep = padding.OAEP(padding.MGF1(_HASH[algorithm]), _HASH[algorithm], b"IDENTITY\0")
    key = kdfa(algorithm, seed, b"STORAGE", ak_name, ek.aes_bits)
    encryptor = Cipher(AES(key), CFB(bytes(16))).encryptor()
    encrypted = encryptor.update(sized(credential)) + encryptor.finalize()
    integrity = kdfa(algorithm, seed, b"INTEGRITY", b"", size * 8)
    outer = hmac.new(integrity, encrypted + ak_name, algorithm).digest()
    return Challenge(sized(sized(outer) + encrypted), sized(ek.rsa.encrypt(seed, oaep)))


def kdfa(algorithm: str, key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """Key material of so many bits (Part 1, 11.4.10.2), at most as long as the hash."""
    fixed = (1).to_bytes(4, "big") + label + b"\0" + context + bits.to_bytes(4, "big")
    return hmac.new(key, fixed, algorithm).digest()[: bits // 8]


def sized(data: bytes) -> bytes:
    """With its size in two bytes before it."""
    return len(data).to_bytes(2, "big") + data
