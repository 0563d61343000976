"""PURE: what one source says about a step; and two steps that are judged of a transaction, wherever it is from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ledger.chain import antelope, p256
from ledger.chain import block as blocks
from ledger.chain.antelope import AntelopeError, Transaction

if TYPE_CHECKING:
    from ledger.receipts.form import Receipt
    from ledger.receipts.pins import Pins

ACTION = "record"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one source says about a step. `good` is None where it cannot tell; `source` is "" for the receipt itself."""

    source: str
    expected: str
    found: str
    good: bool | None
    note: str = ""


def signer_finding(receipt: "Receipt", pins: "Pins", source: str, packed: bytes, texts: Iterable[str]) -> Finding:
    """Step 8 of a transaction. Ours have no context-free data: 32 zeros stand for it in what is signed."""
    key = _p256_key(pins.public_key)
    digest = antelope.signing_digest(blocks.hex_bytes(receipt.chain_id, "chain_id", 32), packed)
    signatures = [antelope.signature_decode(text) for text in texts]
    good = any(curve == "R1" and p256.is_signed_by(key, digest, data) for curve, data in signatures)
    return Finding(source, pins.public_key, pins.public_key if good else "not signed by this key", good)


def _p256_key(text: str) -> EllipticCurvePublicKey:
    curve, data = antelope.public_key_decode(text)
    if curve != "R1":
        raise AntelopeError(f"key: expected PUB_R1_…, got {text[:7]}")
    try:
        return p256.key(data)
    except ValueError as error:
        raise AntelopeError(f"key: {error}") from error


def recorded_finding(receipt: "Receipt", source: str, packed: bytes) -> Finding:
    """Step 9 of a transaction."""
    expected = f"{receipt.account}::{ACTION} of {receipt.ledger_id} with {receipt.digest}"
    if not antelope.is_name(receipt.account):
        return Finding(source, expected, "nothing: this is no account's name", False)
    transaction = Transaction.unpack(packed)
    ours = [action for action in transaction.actions if (action.account, action.name) == (receipt.account, ACTION)]
    if transaction.context_free_actions:  # we make none, and what stands in them was not executed by the contract
        return Finding(source, expected, "a transaction with context-free actions", False)
    records = [record for action in ours for record in antelope.unpack_records(action.data)]
    digests = [digest.hex() for ledger_id, digest, _ in records if str(ledger_id) == receipt.ledger_id]
    found = f"{receipt.account}::{ACTION} of {receipt.ledger_id} with {', '.join(digests)}"
    if not digests:
        found = f"no {receipt.account}::{ACTION} of {receipt.ledger_id}"
    return Finding(source, expected, found, digests == [receipt.digest])
