"""What is published of the ledger, as pages and papers print it: what receipts are compared with, and where."""

from dataclasses import dataclass

from django.conf import settings

from ledger import checks, receipt
from ledger.models import LedgerEntry


@dataclass(frozen=True)
class Pins:
    """`ak`: the fingerprint of the AK in whose TPM the key was made; `code_updated` as nodes say it; "" for neither."""

    account: str
    chain_id: str
    key: str
    ak: str
    code_hash: str
    code_updated: str
    steps: int


def pins_published(entry: LedgerEntry | None) -> Pins | None:
    """Those that the record of this entry is checked with; None where it is not signed yet."""
    key = entry.transaction.public_key if entry and entry.transaction else ""
    if not key:
        return None
    return Pins(
        account=settings.LEDGER_ACCOUNT,
        chain_id=settings.LEDGER_CHAIN_ID,
        key=key,
        ak=checks.published_ak(key) or "",
        code_hash=settings.LEDGER_CODE_HASH,
        code_updated=settings.LEDGER_CODE_UPDATED,
        steps=len(receipt.STEPS),
    )
