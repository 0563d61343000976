"""The keys of station authorities, in the same TPM service as the ledger's: attested, certified, bound to its releases.

stations/certificates/ asks for them through the hook of stations/certificates/keys.py.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from ledger.receipts.checks import attestation_of
from ledger.signing.client import client
from stations.certificates import keys
from stations.certificates.errors import AuthorityRefusedError, AuthorityUnavailableError
from stations.certificates.keys import MadeKey
from tpm.client import Key, TpmError, TpmRefused
from tpm.register import register
from tpm.register.gate import require_attested


class TpmKeys:
    """P-256 keys that never leave the TPM; nothing is made or signed by a service that is not attested."""

    def create(self, name: str) -> MadeKey:
        """Make the key for approved releases only, where the service is measured, and have the AK certify it."""
        with _as_ours():
            require_attested(settings.TPM_SERVICE_URL)
            key = _create(name)
            self._require_certified(key)
            return MadeKey(name, key.public_key_pem, attestation_of(key.public_key_eosio))

    def sign(self, name: str, digest: bytes) -> bytes:
        """In DER, with a low s."""
        with _as_ours():
            self._require_certified(client().key_get(name))
            return base64.b64decode(client().sign(name, digest, format="der"), validate=True)

    def _require_certified(self, key: Key) -> None:
        register.require_certified(settings.TPM_SERVICE_URL, key=key.name, public_key_eosio=key.public_key_eosio)


def _create(name: str) -> Key:
    try:
        return client().key_create(name, policy="release")
    except TpmRefused as error:
        if error.code != "policy_unavailable":
            raise
    return client().key_create(name)  # a service that is not measured binds to no release


@contextmanager
def _as_ours() -> Iterator[None]:
    try:
        yield
    except TpmError as error:
        raise (AuthorityRefusedError if error.permanent else AuthorityUnavailableError)(str(error)) from error


def register_keys() -> None:
    """Tell stations that their authorities' keys are here."""
    keys.keys_are(TpmKeys())
