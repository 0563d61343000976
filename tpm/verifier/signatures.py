"""PURE: the attestation key's signature, by which a TPM states something (TPM 2.0 Library, Part 1, 18)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from tpm.verifier.errors import MalformedError, UnsupportedError
from tpm.verifier.structures import parse_public


def check_signature(ak_public: bytes, message: bytes, signature: bytes) -> None:
    """Raise an AttestationError unless the AK (a TPMT_PUBLIC, P-256) signed this with ECDSA and SHA-256."""
    key = parse_public(ak_public).key
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise UnsupportedError("AK: expected an ECC P-256 key")
    try:
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise MalformedError("not signed by this AK") from None
