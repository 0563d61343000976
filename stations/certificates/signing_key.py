"""PURE: a private key that is elsewhere, for cryptography's builders of certificates and revocation lists."""

import hashlib
from collections.abc import Callable
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

SignDigest = Callable[[bytes], bytes]


class DistantKey(ec.EllipticCurvePrivateKey):
    """A P-256 key of which only the public half is here; `sign_digest` has 32 bytes signed (ECDSA, DER)."""

    def __init__(self, public_key: ec.EllipticCurvePublicKey, sign_digest: SignDigest) -> None:
        if not isinstance(public_key.curve, ec.SECP256R1):
            raise ValueError(f"expected a key on secp256r1, got {public_key.curve.name}")
        self._public_key, self._sign_digest = public_key, sign_digest

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """ECDSA with SHA-256, and no other hash: that is all that the distant key signs."""
        algorithm = signature_algorithm.algorithm
        prehashed = isinstance(algorithm, Prehashed)
        if not isinstance(algorithm._algorithm if isinstance(algorithm, Prehashed) else algorithm, SHA256):
            raise ValueError("expected ECDSA with SHA-256")
        return self._sign_digest(bytes(data) if prehashed else hashlib.sha256(data).digest())

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        """Never: it signs."""
        raise TypeError("the key signs and agrees on nothing")

    def private_numbers(self) -> NoReturn:
        """Never: they are not here."""
        raise TypeError("the private key is elsewhere and cannot be written out")

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> NoReturn:
        """Never: they are not here."""
        raise TypeError("the private key is elsewhere and cannot be written out")

    def __copy__(self) -> "DistantKey":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "DistantKey":
        return self
