"""PURE. The curves on which meters sign, and ECDSA for the one that OpenSSL does not have (secp192k1).

Constants: SEC 2 version 2 (secp192k1: 2.2.1). Only public data are handled, so time need not be constant.
"""

from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec


class Curve(NamedTuple):
    """One curve: its object identifier (DER, without tag and length), and how long a coordinate is."""

    oid: bytes
    size: int
    library: type[ec.EllipticCurve] | None  # None: own arithmetic


CURVES: dict[str, Curve] = {
    "secp192k1": Curve(bytes.fromhex("2b8104001f"), 24, None),
    "secp192r1": Curve(bytes.fromhex("2a8648ce3d030101"), 24, ec.SECP192R1),
    "secp256k1": Curve(bytes.fromhex("2b8104000a"), 32, ec.SECP256K1),
    "secp256r1": Curve(bytes.fromhex("2a8648ce3d030107"), 32, ec.SECP256R1),
    "secp384r1": Curve(bytes.fromhex("2b81040022"), 48, ec.SECP384R1),
    "secp521r1": Curve(bytes.fromhex("2b81040023"), 66, ec.SECP521R1),
    "brainpoolP256r1": Curve(bytes.fromhex("2b2403030208010107"), 32, ec.BrainpoolP256R1),
    "brainpoolP384r1": Curve(bytes.fromhex("2b240303020801010b"), 48, ec.BrainpoolP384R1),
}

P = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFEE37
N = 0xFFFFFFFFFFFFFFFFFFFFFFFE26F2FC170F69466A74DEFD8D
G = (0xDB4FF10EC057E9AE26B07D0280B7F4341DA5D1B1EAE06C7D, 0x9B2F2F6D9C5628A7844163D015BE86344082AA88D95E2F9D)

Jacobian = tuple[int, int, int]  # z = 0 is the point at infinity


@dataclass(frozen=True, slots=True)
class Secp192k1Key:
    """A point on secp192k1; raises ValueError where it is none."""

    x: int
    y: int

    def __post_init__(self) -> None:
        if not (0 <= self.x < P and 0 <= self.y < P and (self.y * self.y - self.x**3 - 3) % P == 0):
            raise ValueError("the point is not on secp192k1")

    @classmethod
    def decode(cls, encoded: bytes) -> "Secp192k1Key":
        """From a point as SEC 1 writes it, compressed or not. Raises ValueError."""
        size = CURVES["secp192k1"].size
        x = int.from_bytes(encoded[1 : 1 + size])
        if len(encoded) == 1 + 2 * size and encoded[0] == 4:
            return cls(x, int.from_bytes(encoded[1 + size :]))
        if len(encoded) == 1 + size and encoded[0] in (2, 3):
            y = pow(x**3 + 3, (P + 1) // 4, P)
            return cls(x, y if y % 2 == encoded[0] % 2 else P - y)
        raise ValueError("no encoded point")

    def encode(self) -> bytes:
        """The point as SEC 1 writes it, not compressed."""
        return b"\4" + self.x.to_bytes(24) + self.y.to_bytes(24)

    def verifies(self, r: int, s: int, digest: bytes) -> bool:
        """Whether (r, s) is this key's ECDSA signature over the digest (SEC 1, 4.1.4)."""
        if not (0 < r < N and 0 < s < N):
            return False
        e = int.from_bytes(digest[:24])  # N has 192 bits: the leftmost 192 of the digest
        w = pow(s, -1, N)
        x, _, z = sum_of_products(e * w % N, G, r * w % N, (self.x, self.y))
        return z != 0 and x * pow(z, -2, P) % P % N == r


def doubled(point: Jacobian) -> Jacobian:
    """Twice a point of y² = x³ + 3."""
    x, y, z = point
    if not y:
        return 0, 1, 0
    s, m = 4 * x * y * y % P, 3 * x * x % P
    nx = (m * m - 2 * s) % P
    return nx, (m * (s - nx) - 8 * y**4) % P, 2 * y * z % P


def added(a: Jacobian, b: Jacobian) -> Jacobian:
    """The sum of two points."""
    if not a[2]:
        return b
    if not b[2]:
        return a
    z1, z2 = a[2] * a[2] % P, b[2] * b[2] % P
    u1, u2 = a[0] * z2 % P, b[0] * z1 % P
    s1, s2 = a[1] * z2 * b[2] % P, b[1] * z1 * a[2] % P
    if u1 == u2:
        return doubled(a) if s1 == s2 else (0, 1, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % P
    h3, v = h * h2 % P, u1 * h2 % P
    x = (r * r - h3 - 2 * v) % P
    return x, (r * (v - x) - s1 * h3) % P, a[2] * b[2] * h % P


def sum_of_products(a: int, p: tuple[int, int], b: int, q: tuple[int, int]) -> Jacobian:
    """a·p + b·q, both in one pass."""
    first, second = (*p, 1), (*q, 1)
    table: tuple[Jacobian, ...] = ((0, 1, 0), first, second, added(first, second))
    found: Jacobian = (0, 1, 0)
    for bit in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        found = added(doubled(found), table[(a >> bit & 1) | (b >> bit & 1) << 1])
    return found
