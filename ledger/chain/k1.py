"""PURE: who signed with secp256k1, as producers of blocks do? Recovers the key (SEC 1, section 4.1.6).

Works on public data only, so the running time may depend on the values.
"""

from functools import lru_cache

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
HEADER_MIN, HEADER_MAX = 31, 34  # of a key that is written compressed, as all of Antelope's are
Point = tuple[int, int] | None  # None is the point at infinity


class RecoveryError(ValueError):
    """The signature belongs to no key."""


@lru_cache(maxsize=64)
def recover(digest: bytes, signature: bytes) -> bytes:
    """The compressed key (33 bytes) that signed this digest; `signature` is (31 + recovery id) || r || s, 65 bytes."""
    if len(signature) != 65 or not HEADER_MIN <= signature[0] <= HEADER_MAX:
        raise RecoveryError("expected 65 bytes, the first from 31 to 34")
    number, r, s = signature[0] - HEADER_MIN, int.from_bytes(signature[1:33], "big"), int.from_bytes(signature[33:])
    x = r + N * (number >> 1)
    y = pow(x**3 + 7, (P + 1) // 4, P)
    if not (0 < r < N and 0 < s < N and x < P) or (y * y - x**3 - 7) % P:
        raise RecoveryError("r or s belongs to no point")
    if y % 2 != number & 1:
        y = P - y
    inverse, e = pow(r, -1, N), int.from_bytes(digest, "big")
    key = _add(_multiply(s * inverse % N, (x, y)), _multiply(-e * inverse % N, G))
    if key is None:
        raise RecoveryError("the signature belongs to no key")
    return bytes([2 + key[1] % 2]) + key[0].to_bytes(32, "big")


def _add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _multiply(factor: int, point: Point) -> Point:
    found: Point = None
    while factor:
        if factor & 1:
            found = _add(found, point)
        point, factor = _add(point, point), factor >> 1
    return found
