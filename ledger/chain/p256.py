"""PURE: who signed? Recovers the P-256 key from an ECDSA signature (SEC 1, section 4.1.6), or checks a known one.

Works on public data only, so the running time may depend on the values. About 2 ms a key that is recovered.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None  # None is the point at infinity


class RecoveryError(ValueError):
    """The signature belongs to no key."""


def add(a: Point, b: Point) -> Point:
    """Add two points of the curve."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * (a[0] * a[0] - 1) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(factor: int, point: Point) -> Point:
    """Add a point `factor` times. Jacobian coordinates (x / z^2, y / z^3) on the way: one division, at the end."""
    if point is None or factor % N == 0:
        return None
    x, y, z = 0, 1, 0  # the point at infinity
    for bit in f"{factor % N:b}":
        x, y, z = _double(x, y, z)
        if bit == "1":
            x, y, z = _add_affine(x, y, z, point)
    inverse = pow(z, -1, P)
    square = inverse * inverse % P
    return x * square % P, y * square * inverse % P


def _double(x: int, y: int, z: int) -> tuple[int, int, int]:
    delta, gamma = z * z % P, y * y % P
    beta, alpha = x * gamma % P, 3 * (x - delta) * (x + delta) % P
    x_new = (alpha * alpha - 8 * beta) % P
    return x_new, (alpha * (4 * beta - x_new) - 8 * gamma * gamma) % P, 2 * y * z % P


def _add_affine(x: int, y: int, z: int, point: tuple[int, int]) -> tuple[int, int, int]:
    """Add a point that is no multiple of the first one but for infinity: a factor below the order meets none."""
    if z == 0:
        return *point, 1
    square = z * z % P
    h, r = (point[0] * square - x) % P, (point[1] * square * z - y) % P
    h2 = h * h % P
    h3, v = h * h2 % P, x * h2 % P
    x_new = (r * r - h3 - 2 * v) % P
    return x_new, (r * (v - x_new) - y * h3) % P, z * h % P


def lift(x: int, odd: int) -> tuple[int, int]:
    """Return the point with this x whose y is odd (1) or even (0)."""
    if not 0 <= x < P:
        raise RecoveryError("r: no x coordinate of the curve")
    square = (x * x * x - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        raise RecoveryError("r: no point of the curve has this x coordinate")
    return x, y if y % 2 == odd else P - y


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the signer's compressed point (33 bytes).

    `signature` is (31 + recovery id) || r || s, 65 bytes, as in SIG_R1_; raises RecoveryError where it fits no key.
    """
    if len(digest) != 32 or len(signature) != 65 or not 31 <= signature[0] <= 34:
        raise RecoveryError("expected a digest of 32 bytes and a signature of 65, first byte 31 to 34")
    recovery_id = signature[0] - 31
    e, r, s = (int.from_bytes(part, "big") for part in (digest, signature[1:33], signature[33:]))
    if not (0 < r < N and 0 < s < N):
        raise RecoveryError("r and s: expected 1 to n-1")
    point = lift(r + N * (recovery_id >> 1), recovery_id & 1)
    inverse = pow(r, -1, N)
    key = add(multiply(s * inverse % N, point), multiply(-e * inverse % N, G))
    if key is None:
        raise RecoveryError("the signature gives the point at infinity")
    return bytes([2 + key[1] % 2]) + key[0].to_bytes(32, "big")


def key(point: bytes) -> EllipticCurvePublicKey:
    """Return the key of a compressed point; raises ValueError where it is none."""
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)


def is_signed_by(key: EllipticCurvePublicKey, digest: bytes, signature: bytes) -> bool:
    """Did the holder of this key make this signature (65 bytes, the first is not looked at)?"""
    r, s = (int.from_bytes(part, "big") for part in (signature[1:33], signature[33:]))
    try:
        key.verify(encode_dss_signature(r, s), digest, ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return True
