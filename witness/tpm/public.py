"""PURE: public areas of TPM keys, TPMT_PUBLIC (TPM 2.0 Library, Part 2, 12.2.4), as far as EKs and AKs need it."""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from witness.errors import FormError

RSA, AES, SHA256, SHA384, NULL, CFB, ECC = 0x0001, 0x0006, 0x000B, 0x000C, 0x0010, 0x0043, 0x0023
HASHES = {SHA256: "sha256", SHA384: "sha384"}
FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN = 1 << 1, 1 << 4, 1 << 5
RESTRICTED, DECRYPT, SIGN = 1 << 16, 1 << 17, 1 << 18
IN_ITS_TPM = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED


@dataclass(frozen=True)
class Public:
    """What a witness wants to know of a key. `aes_bits` and `rsa` are those of an EK; 0 and None for others."""

    raw: bytes
    type: int
    name_algorithm: int
    attributes: int
    aes_bits: int = 0
    rsa: RSAPublicKey | None = None

    @property
    def name(self) -> bytes:
        """The TPM's name of the key: the algorithm and the hash of its public area (Part 1, 16)."""
        digest = hashlib.new(HASHES[self.name_algorithm], self.raw).digest()
        return self.name_algorithm.to_bytes(2, "big") + digest


class _Fields:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise FormError("TPMT_PUBLIC: it ends too early")
        self._at += size
        return part

    def number(self, size: int = 2) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self) -> bytes:
        return self.take(self.number())

    def end(self) -> None:
        if self._at != len(self._data):
            raise FormError("TPMT_PUBLIC: there is something behind it")


def read_ek(data: bytes) -> Public:
    """Read an endorsement key: RSA, restricted, for decryption, made in its TPM; raises FormError for another."""
    fields, head = _head(data, RSA)
    if fields.number() != AES:
        raise FormError("EK: expected AES for what it protects")
    bits, mode, scheme = fields.number(), fields.number(), fields.number()
    if bits not in (128, 256) or mode != CFB or scheme != NULL:
        raise FormError("EK: expected AES-128 or AES-256 in CFB mode, and no scheme")
    key_bits, exponent, modulus = fields.number(), fields.number(4) or 65537, fields.sized()
    fields.end()
    number = int.from_bytes(modulus, "big")
    if key_bits not in (2048, 3072, 4096) or len(modulus) * 8 != key_bits or number.bit_length() != key_bits:
        raise FormError("EK: expected RSA with 2048, 3072 or 4096 bits")
    _made_in_its_tpm("EK", head[1], DECRYPT, SIGN)
    try:
        return Public(data, RSA, *head, bits, RSAPublicNumbers(exponent, number).public_key())
    except ValueError as error:
        raise FormError(f"EK: {error}") from error


def read_ak(data: bytes) -> Public:
    """Read an attestation key: P-256, restricted, for signatures, made in its TPM; raises FormError for another."""
    fields, head = _head(data, ECC)
    if head[0] != SHA256:
        raise FormError("AK: expected SHA-256 for its name")
    symmetric, scheme = fields.number(), fields.number()
    if symmetric != NULL or scheme != 0x0018 or fields.number() != SHA256:
        raise FormError("AK: expected ECDSA with SHA-256")
    if fields.number() != 0x0003 or fields.number() != NULL:
        raise FormError("AK: expected P-256, and no key derivation")
    if len(fields.sized()) > 32 or len(fields.sized()) > 32:
        raise FormError("AK: expected a point of P-256")
    fields.end()
    _made_in_its_tpm("AK", head[1], SIGN, DECRYPT)
    return Public(data, ECC, *head)


def _head(data: bytes, type: int) -> tuple[_Fields, tuple[int, int]]:
    """The fields behind the head, and name algorithm and attributes."""
    fields = _Fields(data)
    found, algorithm, attributes = fields.number(), fields.number(), fields.number(4)
    if found != type or algorithm not in HASHES:
        raise FormError(f"TPMT_PUBLIC: expected a key of type 0x{type:04x} with SHA-256 or SHA-384, got 0x{found:04x}")
    fields.sized()  # the policy
    return fields, (algorithm, attributes)


def _made_in_its_tpm(what: str, attributes: int, needed: int, forbidden: int) -> None:
    needed |= IN_ITS_TPM
    if attributes & needed != needed or attributes & forbidden:
        raise FormError(f"{what}: not restricted, or not made in its TPM to stay there (attributes 0x{attributes:08x})")
