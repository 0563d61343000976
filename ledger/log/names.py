"""The log's key in its two spellings: PUB_R1_… as the TPM service and the chain have it, and a note's verifier key."""

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from django.conf import settings

from ledger.chain import antelope, p256
from ledger.log.note import ECDSA, VerifierKey


def verifier_key(public_key_eosio: str) -> VerifierKey:
    """A key of the TPM (PUB_R1_…) under the log's name, as notes know it."""
    _, point = antelope.public_key_decode(public_key_eosio)
    public = p256.key(point).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return VerifierKey(settings.LOG_ORIGIN, ECDSA, public)


def public_key_of(key: VerifierKey) -> str:
    """The inverse; "" for what is no key on P-256."""
    try:
        found = load_der_public_key(key.public)
    except ValueError:
        return ""
    if not isinstance(found, EllipticCurvePublicKey) or found.curve.name != "secp256r1":
        return ""
    return antelope.public_key_encode(found.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
