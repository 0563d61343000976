"""PURE: the TPM's binary structures as far as a verifier needs them (TPM 2.0 Library, Part 2).

All parsers are strict. Truncated data, trailing bytes, an unknown algorithm or another curve raise MalformedError, and
nothing else is ever raised on hostile bytes.
"""

import hashlib
import struct
from dataclasses import dataclass
from enum import IntFlag

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tpm.verifier.errors import MalformedError, UnsupportedError

# Part 2, 6.3 (TPM_ALG_ID) and 6.4 (TPM_ECC_CURVE)
ALG_RSA, ALG_AES, ALG_KEYEDHASH, ALG_SHA256, ALG_NULL = 0x0001, 0x0006, 0x0008, 0x000B, 0x0010
ALG_RSASSA, ALG_RSAES, ALG_RSAPSS, ALG_OAEP, ALG_ECDSA = 0x0014, 0x0015, 0x0016, 0x0017, 0x0018
ALG_ECC, ALG_CFB = 0x0023, 0x0043
CURVE_P256 = 0x0003
HASHES = {0x000B: "sha256", 0x000C: "sha384", 0x000D: "sha512"}
_SCHEMES_WITH_HASH = {ALG_RSASSA, ALG_RSAPSS, ALG_OAEP, ALG_ECDSA, 0x0019, 0x001B, 0x001C, 0x001D}  # ECDH, SM2, …
_KDFS = {0x0020, 0x0021, 0x0022}

TPM_GENERATED_VALUE = 0xFF544347  # Part 2, 6.2: only the TPM itself signs what begins so with a restricted key
ST_ATTEST_CERTIFY, ST_ATTEST_QUOTE = 0x8017, 0x8018  # Part 2, 6.9
PCRS_MAX = 24


class Attributes(IntFlag):
    """TPMA_OBJECT (Part 2, 8.3)."""

    FIXED_TPM = 1 << 1
    ST_CLEAR = 1 << 2
    FIXED_PARENT = 1 << 4
    SENSITIVE_DATA_ORIGIN = 1 << 5
    USER_WITH_AUTH = 1 << 6
    ADMIN_WITH_POLICY = 1 << 7
    NO_DA = 1 << 10
    ENCRYPTED_DUPLICATION = 1 << 11
    RESTRICTED = 1 << 16
    DECRYPT = 1 << 17
    SIGN = 1 << 18
    X509_SIGN = 1 << 19


_ATTRIBUTE_WORDS = {
    Attributes.FIXED_TPM: "fixedTPM",
    Attributes.FIXED_PARENT: "fixedParent",
    Attributes.SENSITIVE_DATA_ORIGIN: "sensitiveDataOrigin",
    Attributes.USER_WITH_AUTH: "userWithAuth",
    Attributes.ADMIN_WITH_POLICY: "adminWithPolicy",
    Attributes.NO_DA: "noDA",
    Attributes.RESTRICTED: "restricted",
    Attributes.DECRYPT: "decrypt",
    Attributes.SIGN: "sign",
}


def attribute_words(attributes: int) -> str:
    """Return the standard's names of the attributes that are set."""
    known = [word for flag, word in _ATTRIBUTE_WORDS.items() if attributes & flag]
    rest = attributes & ~sum(_ATTRIBUTE_WORDS)
    return ", ".join([*known, *([f"0x{rest:x}"] if rest else [])]) or "none"


class Reader:
    """Takes big-endian values one after the other; raises MalformedError where the data end too early or too late."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._at = 0

    def take(self, size: int) -> bytes:
        """Take `size` bytes; raises MalformedError where fewer are left."""
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            left = f"expected {size} bytes at byte {self._at}, got {len(part)}"
            raise MalformedError(f"{self._what}: truncated: {left}")
        self._at += size
        return part

    def uint(self, size: int) -> int:
        """Take an unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def sized(self) -> bytes:
        """Take a TPM2B: its size in two bytes, and itself."""
        return self.take(self.uint(2))

    def end(self) -> None:
        """Raise MalformedError where anything is left."""
        if self._at != len(self._data):
            raise MalformedError(f"{self._what}: expected {self._at} bytes, got {len(self._data)}")


def tpm2b(data: bytes) -> bytes:
    """Return the bytes with their size in front."""
    return struct.pack(">H", len(data)) + data


def tpm2b_open(data: bytes, what: str) -> bytes:
    """Return what a TPM2B holds; raises MalformedError unless it is exactly one."""
    reader = Reader(data, what)
    inner = reader.sized()
    reader.end()
    return inner


@dataclass(frozen=True, slots=True)
class Symmetric:
    """TPMT_SYM_DEF_OBJECT: by what a restricted decryption key protects its children; (AES, 128, CFB) for an EK."""

    algorithm: int
    key_bits: int = 0
    mode: int = 0


@dataclass(frozen=True, slots=True)
class Public:
    """TPMT_PUBLIC (Part 2, 12.2.4) of an RSA or ECC P-256 key. `key` is what it signs or is encrypted to with."""

    raw: bytes
    type: int
    name_algorithm: int
    attributes: int
    policy: bytes
    symmetric: Symmetric
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey

    @property
    def name(self) -> bytes:
        """The object's Name: its hash algorithm and the hash of its public area (Part 1, 16)."""
        digest = hashlib.new(HASHES[self.name_algorithm], self.raw).digest()
        return struct.pack(">H", self.name_algorithm) + digest

    def has(self, attributes: int) -> bool:
        """Tell whether all of these attributes are set (TPMA_OBJECT; Part 2, 8.3)."""
        return self.attributes & attributes == attributes


def parse_public(data: bytes) -> Public:
    """Read a TPMT_PUBLIC (without a size in front); raises MalformedError or UnsupportedError."""
    reader = Reader(data, "TPMT_PUBLIC")
    kind, name_algorithm, attributes = reader.uint(2), reader.uint(2), reader.uint(4)
    if name_algorithm not in HASHES:
        raise UnsupportedError(f"nameAlg: expected SHA-256, SHA-384 or SHA-512, got 0x{name_algorithm:04x}")
    policy = reader.sized()
    if len(policy) not in (0, hashlib.new(HASHES[name_algorithm]).digest_size):
        raise MalformedError(f"authPolicy: expected no or one digest, got {len(policy)} bytes")
    symmetric: Symmetric
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    if kind == ALG_RSA:
        symmetric, key = _rsa(reader)
    elif kind == ALG_ECC:
        symmetric, key = _ecc(reader)
    else:
        raise UnsupportedError(f"type: expected an RSA or ECC key, got 0x{kind:04x}")
    reader.end()
    return Public(bytes(data), kind, name_algorithm, attributes, policy, symmetric, key)


def _symmetric(reader: Reader) -> Symmetric:
    algorithm = reader.uint(2)
    if algorithm == ALG_NULL:
        return Symmetric(ALG_NULL)
    if algorithm != ALG_AES:
        raise UnsupportedError(f"symmetric: expected AES or none, got 0x{algorithm:04x}")
    return Symmetric(ALG_AES, reader.uint(2), reader.uint(2))


def _scheme(reader: Reader) -> None:
    """Step over a TPMT_RSA_SCHEME or TPMT_ECC_SCHEME."""
    scheme = reader.uint(2)
    if scheme in _SCHEMES_WITH_HASH:
        reader.uint(2)
    elif scheme not in (ALG_NULL, ALG_RSAES):
        raise UnsupportedError(f"scheme: 0x{scheme:04x} is none that this version knows")


def _rsa(reader: Reader) -> tuple[Symmetric, rsa.RSAPublicKey]:
    symmetric = _symmetric(reader)
    _scheme(reader)
    key_bits, exponent, modulus = reader.uint(2), reader.uint(4) or 65537, reader.sized()
    number = int.from_bytes(modulus, "big")
    if key_bits not in (2048, 3072, 4096) or number.bit_length() != key_bits or len(modulus) * 8 != key_bits:
        raise MalformedError(
            f"RSA: expected a modulus of {key_bits} bits, 2048, 3072 or 4096; got {len(modulus)} bytes"
        )
    try:
        return symmetric, rsa.RSAPublicNumbers(exponent, number).public_key()
    except ValueError as error:
        raise MalformedError(f"RSA: no public key: {error}") from error


def _ecc(reader: Reader) -> tuple[Symmetric, ec.EllipticCurvePublicKey]:
    symmetric = _symmetric(reader)
    _scheme(reader)
    curve = reader.uint(2)
    if curve != CURVE_P256:
        raise UnsupportedError(f"curve: expected P-256 (0x0003), got 0x{curve:04x}")
    kdf = reader.uint(2)
    if kdf in _KDFS:
        reader.uint(2)
    elif kdf != ALG_NULL:
        raise UnsupportedError(f"kdf: 0x{kdf:04x} is none that this version knows")
    x, y = reader.sized(), reader.sized()
    if max(len(x), len(y)) > 32:
        raise MalformedError(f"point: expected coordinates of at most 32 bytes, got {len(x)} and {len(y)}")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
    try:
        return symmetric, numbers.public_key()
    except ValueError as error:
        raise MalformedError("point: not on the curve P-256") from error


@dataclass(frozen=True, slots=True)
class Clock:
    """TPMS_CLOCK_INFO (Part 2, 10.11.1). `clock_ms` goes on over restarts; `safe`: it was never greater before."""

    clock_ms: int
    reset_count: int
    restart_count: int
    safe: bool


@dataclass(frozen=True, slots=True)
class Attest:
    """What a TPMS_ATTEST says of itself, whatever it attests (Part 2, 10.12.12)."""

    qualified_signer: bytes
    extra_data: bytes
    clock: Clock
    firmware_version: int


@dataclass(frozen=True, slots=True)
class Quote(Attest):
    """Over which PCRs of the SHA-256 bank, and the digest over their values in ascending order."""

    pcrs: tuple[int, ...]
    pcr_digest: bytes


@dataclass(frozen=True, slots=True)
class Certify(Attest):
    """Which object the TPM holds: its Name and its Qualified Name."""

    name: bytes
    qualified_name: bytes


def parse_quote(data: bytes) -> Quote:
    """Read the TPMS_ATTEST of a TPM2_Quote over SHA-256 PCRs; raises MalformedError or UnsupportedError."""
    reader = Reader(data, "TPMS_ATTEST")
    head = _head(reader, ST_ATTEST_QUOTE, "a quote")
    if (count := reader.uint(4)) != 1:
        raise UnsupportedError(f"PCR selection: expected one bank, got {count}")
    bank = reader.uint(2)
    if bank != ALG_SHA256:
        raise UnsupportedError(f"PCR selection: expected the SHA-256 bank, got 0x{bank:04x}")
    bitmap = reader.take(reader.uint(1))
    pcrs = tuple(index for index in range(len(bitmap) * 8) if bitmap[index // 8] >> index % 8 & 1)
    digest = reader.sized()
    reader.end()
    return Quote(*head, pcrs, digest)


def parse_certify(data: bytes) -> Certify:
    """Read the TPMS_ATTEST of a TPM2_Certify; raises MalformedError."""
    reader = Reader(data, "TPMS_ATTEST")
    head = _head(reader, ST_ATTEST_CERTIFY, "a certification")
    name, qualified_name = reader.sized(), reader.sized()
    reader.end()
    return Certify(*head, name, qualified_name)


def _head(reader: Reader, kind: int, words: str) -> tuple[bytes, bytes, Clock, int]:
    magic, found = reader.uint(4), reader.uint(2)
    if magic != TPM_GENERATED_VALUE:
        raise MalformedError(f"magic: expected 0x{TPM_GENERATED_VALUE:08x} (made by a TPM), got 0x{magic:08x}")
    if found != kind:
        raise MalformedError(f"type: expected {words} (0x{kind:04x}), got 0x{found:04x}")
    signer, extra_data = reader.sized(), reader.sized()
    clock_ms, reset_count, restart_count, safe = reader.uint(8), reader.uint(4), reader.uint(4), reader.uint(1)
    if safe > 1:
        raise MalformedError(f"clockInfo.safe: expected 0 or 1, got {safe}")
    return signer, extra_data, Clock(clock_ms, reset_count, restart_count, bool(safe)), reader.uint(8)
