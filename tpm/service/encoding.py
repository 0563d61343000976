"""Bytes, signatures and public keys of P-256 in the forms that callers want. Pure: values in, values out.

EOSIO text forms: EOSIO `libraries/fc/src/crypto/elliptic_r1.cpp`.
"""

import base64
import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tpm import base58

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

DIGEST_BYTES = 32
SIGNATURE_BYTES = 64
COMPACT_HEADER = 31  # 27, plus 4 for "the public key is compressed"

Point = tuple[int, int]
Signature = tuple[int, int]
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class SignatureMismatchError(ValueError):
    """The signature is not one of this digest by this key."""


class MalformedSignatureError(ValueError):
    """The text is not a signature of this format; says what was expected and what came."""


def base64_text(data: bytes) -> str:
    """Return the bytes in standard base64."""
    return base64.b64encode(data).decode()


def from_base64(text: str, size: int) -> bytes:
    """Return the bytes of a signature in canonical base64; raises MalformedSignatureError unless they are `size`."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != size or base64_text(raw) != text:
        raise MalformedSignatureError(f"expected {size} bytes in standard base64")
    return raw


def low_s(signature: Signature) -> Signature:
    """Return the same signature with s at most n/2: nodeos refuses the other one, every verifier takes both."""
    r, s = signature
    return (r, min(s, N - s))


def recovery_id(digest: bytes, signature: Signature, public: Point) -> int:
    """Return 0 to 3, which tells which of the possible points R = (e/s)G + (r/s)Q the signer had (SEC 1, 4.1.6).

    With A = (e/s)G and B = (r/s)Q, OpenSSL gives A whole but of B only the x-coordinate (ECDH). As the x-coordinate of
    A + B is known to be r, the chord rule gives the y of B. That takes 0.2 ms; multiplying in Python would take 2 ms.
    Raises SignatureMismatchError when B is then not on the curve, so this is a full verification as well.
    """
    r, s = signature
    inverse = pow(s, -1, N)
    u = int.from_bytes(digest) * inverse % N
    v = r * inverse % N
    if u:
        ax, ay = _base_times(u)
    else:  # R is all B, and its x-coordinate would fit both signs: split it as Q + (v-1)Q
        (ax, ay), v = public, v - 1
    bx = _x_of_times(v, public)
    by_squared = (bx * bx * bx - 3 * bx + B) % P
    run = bx - ax
    both = pow(2 * ay * run, -1, P)  # one inversion for two
    for rx in (r, r + N):  # r is the x-coordinate modulo n, which is a little smaller than p
        by = (by_squared + ay * ay - (rx + ax + bx) * run * run) * run * both % P
        if rx < P and by * by % P == by_squared:
            slope = (by - ay) * 2 * ay * both
            ry = (slope * (ax - rx) - ay) % P
            return (ry & 1) | (2 if rx >= N else 0)
    raise SignatureMismatchError("the signature does not belong to this digest and public key")


def signature_der(signature: Signature) -> str:
    """Return the signature as ASN.1 DER in standard base64 (RFC 3279, 2.2.3), low s."""
    return base64_text(encode_dss_signature(*low_s(signature)))


def signature_jws(signature: Signature) -> str:
    """Return r || s in base64url without padding (ES256, RFC 7518, 3.4), low s."""
    r, s = low_s(signature)
    return base64.urlsafe_b64encode(r.to_bytes(32) + s.to_bytes(32)).decode().rstrip("=")


def signature_eosio(digest: bytes, signature: Signature, public: Point) -> str:
    """Return the signature as `SIG_R1_…`, low s, with its recovery id."""
    r, s = low_s(signature)
    header = COMPACT_HEADER + recovery_id(digest, (r, s), public)
    return "SIG_R1_" + _checksummed(bytes([header]) + r.to_bytes(32) + s.to_bytes(32))


def signature_valid(form: str, text: str, digest: bytes, public: Point) -> bool:
    """Tell whether the text is a signature of the digest; raises MalformedSignatureError when it is none at all.

    `der` and `jws` may have a high s. `eosio` may not, and its recovery id has to fit: nodeos demands both.
    """
    if form != "eosio":
        return _valid(_from_der(text) if form == "der" else _from_jws(text), digest, public)
    header, signature = _from_eosio(text)
    if signature != low_s(signature) or not _valid(signature, digest, public):
        return False
    try:
        return header == COMPACT_HEADER + recovery_id(digest, signature, public)
    except ValueError:  # a digest of zero, where anybody can make a signature with R = Q or R = 2Q
        return False


def public_key_eosio(public: Point) -> str:
    """Return the public key as `PUB_R1_…` (over the compressed point)."""
    x, y = public
    return "PUB_R1_" + _checksummed(bytes([2 + (y & 1)]) + x.to_bytes(32))


def public_key_pem(public: PublicKey) -> str:
    """Return the public key as PEM, SubjectPublicKeyInfo (RFC 5480, RFC 8017)."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def point_of(public: ec.EllipticCurvePublicKey) -> Point:
    """Return the affine coordinates (x, y) of the public point, each below the field prime P."""
    numbers = public.public_numbers()
    return numbers.x, numbers.y


def _valid(signature: Signature, digest: bytes, public: Point) -> bool:
    if not all(0 < number < N for number in signature):
        return False
    try:
        _openssl_key(public).verify(encode_dss_signature(*signature), digest, ec.ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return True


def _from_der(text: str) -> Signature:
    try:
        return decode_dss_signature(base64.b64decode(text, validate=True))
    except ValueError:
        raise MalformedSignatureError("expected ASN.1 DER in standard base64") from None


def _from_jws(text: str) -> Signature:
    """Read base64url in its one canonical form."""
    try:
        raw = base64.b64decode(text + "==", altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if len(raw) != SIGNATURE_BYTES or base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise MalformedSignatureError(f"expected {SIGNATURE_BYTES} bytes in base64url without padding")
    return _numbers(raw)


def _from_eosio(text: str) -> tuple[int, Signature]:
    """Return the header byte, which holds the recovery id, and (r, s)."""
    try:
        data = base58.decode(text.removeprefix("SIG_R1_"))[:-4]
    except ValueError:
        data = b""
    if len(data) != 1 + SIGNATURE_BYTES or "SIG_R1_" + _checksummed(data) != text:
        raise MalformedSignatureError("expected SIG_R1_ with 65 bytes in base58 and their checksum")
    return data[0], _numbers(data[1:])


def _numbers(raw: bytes) -> Signature:
    return int.from_bytes(raw[:32]), int.from_bytes(raw[32:])


def _checksummed(data: bytes) -> str:
    checksum = hashlib.new("ripemd160", data + b"R1").digest()[:4]
    return base58.encode(data + checksum)


@lru_cache(maxsize=256)
def _openssl_key(public: Point) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicNumbers(*public, ec.SECP256R1()).public_key()


def _base_times(factor: int) -> Point:
    numbers = ec.derive_private_key(factor, ec.SECP256R1()).public_key().public_numbers()
    return numbers.x, numbers.y


def _x_of_times(factor: int, point: Point) -> int:
    return int.from_bytes(ec.derive_private_key(factor, ec.SECP256R1()).exchange(ec.ECDH(), _openssl_key(point)))
