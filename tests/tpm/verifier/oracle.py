"""Another implementation to judge by: P-256 of python-ecdsa, EOSIO's text forms, and the definition of recovery."""

import hashlib

import base58
from ecdsa import NIST256p  # type: ignore[import-untyped]
from ecdsa.ellipticcurve import Point  # type: ignore[import-untyped]

N = int(NIST256p.order)


def opened(text: str, prefix: str) -> bytes:
    """Return the data of `SIG_R1_…` or `PUB_R1_…`; fails when its checksum is wrong."""
    assert text.startswith(prefix)
    raw = base58.b58decode(text.removeprefix(prefix))
    data, checksum = raw[:-4], raw[-4:]
    assert hashlib.new("ripemd160", data + b"R1").digest()[:4] == checksum
    return data


def r_and_s(signature: str) -> tuple[int, int]:
    data = opened(signature, "SIG_R1_")
    return int.from_bytes(data[1:33]), int.from_bytes(data[33:65])


def recovered(digest: bytes, signature: str) -> str:
    """Return the `PUB_R1_…` that made this signature: Q = (sR - eG)/r with R by the recovery id (SEC 1, 4.1.6)."""
    data = opened(signature, "SIG_R1_")
    assert len(data) == 65
    number = data[0] - 31
    assert 0 <= number <= 3
    r, s = r_and_s(signature)
    inverse = pow(r, -1, N)
    e = int.from_bytes(digest) % N
    q = _point(r + (N if number & 2 else 0), number & 1) * (s * inverse % N)
    if e:
        q = q + NIST256p.generator * (-e * inverse % N)
    compressed = bytes([2 + q.y() % 2]) + q.x().to_bytes(32)
    return "PUB_R1_" + base58.b58encode(compressed + hashlib.new("ripemd160", compressed + b"R1").digest()[:4]).decode()


def _point(x: int, odd: int) -> Point:
    curve = NIST256p.curve
    p = curve.p()
    y = pow(x**3 + curve.a() * x + curve.b(), (p + 1) // 4, p)
    return Point(curve, x, y if y % 2 == odd else p - y, N)
