"""RSA-OAEP with SHA-256 and an empty label (RFC 8017, 7.1): anybody encrypts, only the TPM decrypts."""

from typing import cast

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from tpm.service.device.device import Device
from tpm.service.errors import InvalidCiphertextError, TooLargeError
from tpm.service.keys.store import Key

RSA_BYTES = 256
MAX_DATA_BYTES = 190  # those of the modulus, less two hashes and two bytes
OAEP = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)


def encrypt(key: Key, data: bytes) -> bytes:
    """Encrypt at most 190 bytes for the key; needs no TPM. Raises KeyUsageError or TooLargeError."""
    key.require("decrypt")
    if len(data) > MAX_DATA_BYTES:
        raise TooLargeError(f"data: expected at most {MAX_DATA_BYTES} bytes, got {len(data)}", code="data_too_large")
    return cast(RSAPublicKey, key.public).encrypt(data, OAEP)


def decrypt(device: Device, key: Key, ciphertext: bytes) -> bytes:
    """Decrypt in the TPM; raises KeyUsageError, InvalidCiphertextError, and what the device raises."""
    key.require("decrypt")
    if len(ciphertext) != RSA_BYTES:
        raise InvalidCiphertextError()
    return device.decrypt(key.blob, ciphertext)
