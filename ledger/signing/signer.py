"""Signing with the TPM: the only signer of records, no software key to fall back on. And a person's offline key."""

import json
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from eospy.keys import EOSKey
from eospy.signer import Signer

from ledger.errors import LedgerError
from ledger.signing import keys
from ledger.signing.client import client
from tpm.client import TpmClient
from tpm.register import register

PUBLIC_KEY_TTL_S = 60.0  # a rotated key is picked up after this time


class TpmSigner(Signer):  # type: ignore[misc]  # eospy has no types
    """eospy's Signer over a P-256 key that never leaves the TPM."""

    def __init__(self, client: TpmClient, key: str, *, url: str) -> None:
        super().__init__()
        self.client = client
        self.key = key
        self.url = url  # under which the register knows the service
        self._public_key = ("", 0.0)

    def to_public(self) -> str:
        """PUB_R1_… of the key; asked of the TPM service once a minute."""
        public_key, read_at = self._public_key
        if not public_key or time.monotonic() - read_at > PUBLIC_KEY_TTL_S:
            public_key = self.client.key_get(self.key).public_key_eosio
            self._public_key = (public_key, time.monotonic())
        return public_key

    def to_wif(self) -> str:
        raise TypeError("the private key is in the TPM and cannot be written out")

    def sign(self, digest: str) -> str:
        """SIG_R1_… over a digest given in hex, as eospy does it."""
        return self.sign_many([bytes.fromhex(digest)])[0]

    def sign_many(self, digests: Sequence[bytes]) -> list[str]:
        """SIG_R1_… for each 32-byte digest, in one request, by a certified key of an attested service.

        Raises TpmUnavailable (`not_attested`, `not_certified`) where it is none: then nothing is signed.
        """
        register.require_certified(self.url, key=self.key, public_key_eosio=self.to_public())
        return self.client.sign_batch(self.key, digests, format="eosio")

    def verify(self, encoded_sig: str, digest: str) -> bool:
        """Does this signature over the digest (hex) come from this key?"""
        from ledger.chain import antelope, p256

        _, signature = antelope.signature_decode(encoded_sig)
        _, expected = antelope.public_key_decode(self.to_public())
        return p256.recover(bytes.fromhex(digest), signature) == expected


@lru_cache(maxsize=4)
def _signer(tpm: TpmClient, url: str, key: str) -> TpmSigner:
    return TpmSigner(tpm, key, url=url)


def signer(key: str = "") -> TpmSigner:
    """The signer with the key of this name, else with the one that signs records now; one HTTP session a process."""
    return _signer(client(), settings.TPM_SERVICE_URL, key or keys.active().name)


class OfflineKey:
    """A key of the account's owner, from a file, for the one transaction that a person signs with it."""

    def __init__(self, private: str) -> None:
        self._key = EOSKey(private)

    @classmethod
    def load(cls, path: Path) -> "OfflineKey":
        """Read WIF or PVT_…, alone or as `private` of a JSON object. Raises LedgerError."""
        try:
            text = path.read_text().strip()
            return cls(json.loads(text)["private"] if text.startswith("{") else text)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(f"{path}: expected a private key as WIF or PVT_…: {type(error).__name__}") from error

    def sign(self, digest: bytes) -> str:
        return str(self._key.sign(digest.hex()))
