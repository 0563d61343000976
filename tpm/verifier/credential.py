"""PURE: TPM2_MakeCredential in software (TPM 2.0 Library, Part 1, 24, and Part 3, 12.6).

A credential is encrypted to an EK and bound to the Name of an AK. Only the TPM that holds both can open it, so who
returns it has shown that the AK lives beside that EK.
"""

import hashlib
import hmac
import secrets
import struct
from typing import NamedTuple

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from tpm.verifier.errors import MalformedError, UnsupportedError
from tpm.verifier.structures import ALG_AES, ALG_CFB, HASHES, Public, Symmetric, tpm2b

CREDENTIAL_BYTES_MAX = 32  # TPM2B_DIGEST of the EK's nameAlg
_OAEP_HASHES: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class Challenge(NamedTuple):
    """`credential_blob` is a TPM2B_ID_OBJECT and `secret` a TPM2B_ENCRYPTED_SECRET, both with their size in front."""

    credential_blob: bytes
    secret: bytes


def make_credential(ek: Public, ak_name: bytes, credential: bytes) -> Challenge:
    """Encrypt up to 32 bytes so that only the TPM of this RSA EK gives them out, and only for the AK of this Name.

    Raises UnsupportedError for an EK of another kind than RSA with AES-CFB, MalformedError for a credential too long.
    """
    if not isinstance(ek.key, rsa.RSAPublicKey):
        raise UnsupportedError("EK: expected an RSA key")
    if ek.symmetric.algorithm != ALG_AES or ek.symmetric.mode != ALG_CFB or ek.symmetric.key_bits not in (128, 256):
        raise UnsupportedError(f"EK: expected AES-128 or AES-256 in CFB mode, got {ek.symmetric}")
    if not 1 <= len(credential) <= CREDENTIAL_BYTES_MAX:
        raise MalformedError(f"credential: expected 1 to {CREDENTIAL_BYTES_MAX} bytes, got {len(credential)}")
    algorithm = HASHES[ek.name_algorithm]
    seed = secrets.token_bytes(hashlib.new(algorithm).digest_size)
    oaep_hash = _OAEP_HASHES[algorithm]()
    oaep = padding.OAEP(mgf=padding.MGF1(oaep_hash), algorithm=oaep_hash, label=b"IDENTITY\0")  # Part 1, B.10.4
    blob = id_object(ek.symmetric, algorithm, seed, ak_name, credential)
    return Challenge(blob, tpm2b(ek.key.encrypt(seed, oaep)))


def id_object(symmetric: Symmetric, algorithm: str, seed: bytes, ak_name: bytes, credential: bytes) -> bytes:
    """Return the TPM2B_ID_OBJECT for this seed (Part 1, 24.4 to 24.6): outer HMAC, then the encrypted credential."""
    key = kdfa(algorithm, seed, b"STORAGE", ak_name, b"", symmetric.key_bits)
    encryptor = Cipher(AES(key), CFB(bytes(16))).encryptor()
    encrypted = encryptor.update(tpm2b(credential)) + encryptor.finalize()
    hmac_key = kdfa(algorithm, seed, b"INTEGRITY", b"", b"", hashlib.new(algorithm).digest_size * 8)
    outer = hmac.new(hmac_key, encrypted + ak_name, algorithm).digest()
    return tpm2b(tpm2b(outer) + encrypted)


def kdfa(algorithm: str, key: bytes, label: bytes, context_u: bytes, context_v: bytes, bits: int) -> bytes:
    """Return `bits` bits of key material (Part 1, 11.4.10.2; SP 800-108 in counter mode); `bits` is a multiple of 8."""
    material = b""
    fixed = label + b"\0" + context_u + context_v + struct.pack(">I", bits)
    for counter in range(1, -(-bits // (hashlib.new(algorithm).digest_size * 8)) + 1):
        material += hmac.new(key, struct.pack(">I", counter) + fixed, algorithm).digest()
    return material[: bits // 8]
