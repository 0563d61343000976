"""PURE: what a reader of a receipt has from elsewhere, to which the steps hold it."""

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
    log_key: str | None = None  # the log's vkey
    witnesses: Sequence[str] = ()  # vkeys
    quorum: int | None = None  # how many of the pinned witnesses have to have signed; None: more than half

    @property
    def is_log_pinned(self) -> bool:
        """Is anything of the log known from elsewhere than the receipt?"""
        return bool(self.log_key or self.witnesses)

    @property
    def witnesses_needed(self) -> int:
        return len(set(self.witnesses)) // 2 + 1 if self.quorum is None else self.quorum
