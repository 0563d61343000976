"""The release key, which lies offline: made, and its private half read; release_files.py reads the public one."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tpm.service.release.release_files import read, write
from tpm.service.release.strict_json import ManifestError


def make_key(path: Path) -> Path:
    """Make a release key at this path (0600), its public half beside it, and return where that is."""
    if path.exists():
        raise ManifestError(str(path), "no file yet: a release key is never replaced", "one")
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write(public_path(path), public)
    write(path, private, mode=0o600)
    return public_path(path)


def public_path(key: Path) -> Path:
    """Return where the public half of a private key lies."""
    return key.with_suffix(".pub.pem")


def load_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the release key from a PEM file that is not encrypted; raises a ReleaseError."""
    try:
        key = serialization.load_pem_private_key(read(path), password=None)
    except (ValueError, TypeError) as error:
        raise ManifestError(str(path), "a private key in PEM, not encrypted", type(error).__name__) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ManifestError(str(path), "an ECC key on P-256", type(key).__name__)
    return key
