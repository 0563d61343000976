"""Where the authorities' keys are: in the TPM service, which the ledger knows how to ask. It says so here at start.

So this room needs no way to the TPM of its own, and a process that may not reach it only hears that nothing is signed.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from stations.certificates.errors import AuthorityRefusedError
from stations.certificates.signing_key import DistantKey


@dataclass(frozen=True)
class MadeKey:
    """A P-256 key in the TPM; `attestation`: the TPM's statement that it cannot leave, None where nothing attests."""

    name: str
    public_key_pem: str
    attestation: dict[str, Any] | None


class Keys(Protocol):
    """Both raise AuthorityUnavailableError, or AuthorityRefusedError where waiting does not help."""

    def create(self, name: str) -> MadeKey:
        """Make the key, or return the one of this name that is there."""

    def sign(self, name: str, digest: bytes) -> bytes:
        """ECDSA over a SHA-256 digest by the key of this name, in DER."""


_keys: list[Keys] = []


def keys_are(keys: Keys) -> None:
    """To be called when Django starts, by the package that reaches the TPM."""
    _keys[:] = [keys]


def keys() -> Keys:
    """Raises AuthorityRefusedError where no package of this program reaches a TPM."""
    if not _keys:
        raise AuthorityRefusedError("no TPM service is known here")
    return _keys[0]


def private_key(name: str, public_key: ec.EllipticCurvePublicKey) -> DistantKey:
    """The TPM's key of this name, as cryptography's builders want one; signing raises what `Keys.sign` does."""
    return DistantKey(public_key, lambda digest: keys().sign(name, digest))


def public_key(made: MadeKey) -> ec.EllipticCurvePublicKey:
    """The public half; raises AuthorityRefusedError for a key of another kind."""
    key = load_pem_public_key(made.public_key_pem.encode())
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise AuthorityRefusedError(f"key {made.name}: expected an ECC P-256 key, got {type(key).__name__}")
    return key
