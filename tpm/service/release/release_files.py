"""The files of a release: read and written, with the errors of tpm/service/release/strict_json.py."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tpm.service.release.strict_json import ManifestError, ReleaseMissingError, ReleaseUnreadableError


def load_public_key(path: Path) -> ec.EllipticCurvePublicKey:
    """Return the release key's public half from a PEM file; raises a ReleaseError."""
    try:
        key = serialization.load_pem_public_key(read(path))
    except ValueError as error:
        raise ManifestError(str(path), "a public key in PEM", str(error)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ManifestError(str(path), "an ECC key on P-256", type(key).__name__)
    return key


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all, durably; raises ReleaseUnreadableError."""
    building = path.with_name(f".{path.name}.new")
    try:
        building.unlink(missing_ok=True)
        descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        building.rename(path)
    except OSError as error:
        raise ReleaseUnreadableError(f"{path} cannot be written: {error.strerror}") from error


def read(path: Path) -> bytes:
    """Return the content of a file; raises ReleaseMissingError or ReleaseUnreadableError."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ReleaseMissingError(f"{path} is not there") from error
    except OSError as error:
        raise ReleaseUnreadableError(f"{path} cannot be read: {error.strerror}") from error
