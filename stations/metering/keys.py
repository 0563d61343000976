"""PURE. Public keys of meters in every form in which makers hand them out."""

CURVES = (
    *("secp192k1", "secp192r1", "secp256k1", "secp256r1", "secp384r1", "secp521r1"),
    *("brainpoolP256r1", "brainpoolP384r1"),
)


class KeyUnreadable(ValueError):
    """It is no public key of a meter; the message says why."""


def public_key_read(given: str | bytes) -> tuple[bytes, str]:
    """DER SubjectPublicKeyInfo and the curve (one of CURVES) of a key in hexadecimal, base64, PEM or bytes.

    Raises KeyUnreadable.
    """
    raise KeyUnreadable("no key of a meter is read yet")
