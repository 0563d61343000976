"""Signatures become DER and SIG_R1_ such that others recover the key; judged by python-ecdsa and by the definition."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tpm.verifier import oracle
from tpm.service.encoding import (
    N,
    Point,
    Signature,
    SignatureMismatchError,
    low_s,
    point_of,
    public_key_eosio,
    public_key_pem,
    recovery_id,
    signature_der,
    signature_eosio,
)

DIGESTS = st.one_of(
    st.binary(min_size=32, max_size=32), st.sampled_from([bytes(32), N.to_bytes(32), b"\xff" * 32, (1).to_bytes(32)])
)


def signed(secret: int, digest: bytes) -> tuple[Point, Signature]:
    key = ec.derive_private_key(secret, ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
    return (numbers.x, numbers.y), (r, s)


@settings(max_examples=150)
@given(secret=st.integers(1, N - 1), digest=DIGESTS, flip=st.booleans())
def test_the_public_key_is_recovered_from_the_text(secret: int, digest: bytes, flip: bool) -> None:
    public, (r, s) = signed(secret, digest)
    text = signature_eosio(digest, (r, N - s if flip else s), public)
    assert oracle.recovered(digest, text) == public_key_eosio(public)
    assert oracle.r_and_s(text) == low_s((r, s))
    assert oracle.r_and_s(text)[1] <= N // 2
    assert decode_dss_signature(base64.b64decode(signature_der((r, s)))) == low_s((r, s))


def test_a_known_key_of_eosio() -> None:
    """The R1 key pair of EOSIO's own test (libraries/fc/test/crypto/test_cypher_suites.cpp, test_r1)."""
    secret = int.from_bytes(oracle.opened("PVT_R1_iyQmnyPEGvFd8uffnk152WC2WryBjgTrg22fXQryuGL9mU6qW", "PVT_R1_"))
    public = ec.derive_private_key(secret, ec.SECP256R1()).public_key()
    numbers = public.public_numbers()
    point = point_of(public)
    assert public_key_eosio(point) == "PUB_R1_6EPHFSKVYHBjQgxVGQPrwCxTg7BbZ69H9i4gztN9deKTEXYne4"
    pem = load_pem_public_key(public_key_pem(public).encode())
    assert isinstance(pem, ec.EllipticCurvePublicKey)
    assert pem.public_numbers() == numbers


@given(bit=st.integers(0, 255))
@settings(max_examples=20)
def test_a_signature_of_something_else_is_refused(bit: int) -> None:
    digest = b"\x5a" * 32
    public, (r, s) = signed(0xC0FFEE, digest)
    other = (int.from_bytes(digest) ^ (1 << bit)).to_bytes(32)
    with pytest.raises(SignatureMismatchError):
        recovery_id(other, (r, s), public)
    with pytest.raises(SignatureMismatchError):
        recovery_id(digest, (r, s), signed(0xBEEF, digest)[0])
