"""Multiplying points and recovering keys, against OpenSSL."""

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain import p256

EDGES = [1, 2, 3, 4, 5, p256.N - 1, p256.N - 2, (p256.N + 1) // 2, (p256.N - 1) // 2, 1 << 255]


def public(factor: int) -> ec.EllipticCurvePublicNumbers:
    return ec.derive_private_key(factor, ec.SECP256R1()).public_key().public_numbers()


@settings(max_examples=50)
@given(st.integers(1, p256.N - 1))
def test_multiples_are_those_of_openssl(factor: int) -> None:
    expected = public(factor)
    assert p256.multiply(factor, p256.G) == (expected.x, expected.y)


def test_so_are_the_edges() -> None:
    for factor in EDGES:
        expected = public(factor)
        assert p256.multiply(factor, p256.G) == (expected.x, expected.y)
        other = p256.multiply(factor, p256.multiply(7, p256.G))
        seven = public(7 * factor % p256.N)
        assert other == (seven.x, seven.y)
    assert p256.multiply(0, p256.G) is p256.multiply(p256.N, p256.G) is p256.multiply(5, None) is None
    assert p256.multiply(p256.N + 1, p256.G) == p256.G


@settings(max_examples=20)
@given(st.integers(1, p256.N - 1), st.binary(min_size=32, max_size=32))
def test_who_signed_is_found(factor: int, digest: bytes) -> None:
    key = ec.derive_private_key(factor, ec.SECP256R1())
    signed = key.sign(digest, ec.ECDSA(utils.Prehashed(SHA256())))
    r, s = utils.decode_dss_signature(signed)
    body = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    found = set()
    for recovery_id in range(2):
        found.add(p256.recover(digest, bytes([31 + recovery_id]) + body))
    assert key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint) in found
