"""PURE: what a reader of a receipt has from elsewhere, to which the twelve steps hold it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pins:
    """What the verifier knows from elsewhere than the receipt; None where nobody pinned it."""

    public_key: str
    chain_id: str | None = None
    ak: str | None = None  # fingerprint of the AK in whose TPM the key was made
    account: str = "evledger"
    code_hash: str | None = None  # SHA-256 of the contract
    code_updated: str | None = None  # when it was last changed, as get_account says it
    meter_keys: Sequence[str] = ()  # hex of the DER of meters' public keys; () nobody pinned one
