"""PURE: the twelve steps of a receipt's check, one function for what the receipt says itself or a node says of it.

Each returns a Finding, or raises NodeError or AntelopeError where the answer that it needs cannot be used.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ledger.chain import antelope, p256
from ledger.chain import block as blocks
from ledger.chain.antelope import AntelopeError, Transaction
from ledger.receipts import certification
from ledger.receipts.form import Receipt
from ledger.receipts.pins import Pins
from ledger.receipts.signed import signed_finding
from ledger.receipts.witness import NodeError, Witness
from tpm.verifier.errors import AttestationError

ACTION = "record"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one source says about a step. `good` is None where it cannot tell; `source` is "" for the receipt itself."""

    source: str
    expected: str
    found: str
    good: bool | None
    note: str = ""


def _digest(receipt: Receipt, pins: Pins) -> Finding:
    try:
        found = antelope.sha256(blocks.hex_bytes(receipt.salt, "salt", 32) + receipt.canonical).hex()
    except AntelopeError as error:
        return Finding("", receipt.digest, "no digest", False, str(error))
    return Finding("", receipt.digest, found, found == receipt.digest)


def _chain_pinned(receipt: Receipt, pins: Pins) -> Finding:
    if pins.chain_id is None:
        return Finding("", receipt.chain_id, receipt.chain_id, True, "the chain id was not pinned")
    return Finding("", pins.chain_id, receipt.chain_id, pins.chain_id == receipt.chain_id)


def _account_pinned(receipt: Receipt, pins: Pins) -> Finding:
    return Finding("", pins.account, receipt.account, pins.account == receipt.account)


def _chain(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    return Finding(node.url, receipt.chain_id, node.chain_id, node.chain_id == receipt.chain_id)


def _irreversible(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    last, producers = node.last_irreversible, node.producers
    good = True if last >= receipt.block_num else None  # the node may be behind: never a contradiction
    expected = f"block {receipt.block_num} at or below the last irreversible block"
    alone = " (one proves nothing against its operator)" if producers < 2 else ""
    found = f"last irreversible block {last}; producers: {producers}{alone}"
    return Finding(node.url, expected, found, good, "" if good else "not irreversible yet")


def _block_number(receipt: Receipt, pins: Pins) -> Finding:
    expected = f"block id {receipt.block_num:08x}…"
    found = f"block id {receipt.block_id[:8]}…"
    return Finding("", expected, found, found == expected)


def _block_id(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    found = blocks.block_id(node.block).hex()
    return Finding(node.url, receipt.block_id, found, found == receipt.block_id)


def _root(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    expected = blocks.hex_bytes(node.block.get("transaction_mroot"), "transaction_mroot", 32).hex()
    found = blocks.transaction_root(node.block).hex()
    return Finding(node.url, expected, found, expected == found)


def _executed(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    status = node.transaction.status
    return Finding(node.url, "executed", status, status == "executed")


def _transaction_id(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    good = receipt.transaction_id in node.by_id
    found = receipt.transaction_id if good else f"none of the block's {len(node.by_id)} transactions"
    return Finding(node.url, receipt.transaction_id, found, good)


def _key_pinned(receipt: Receipt, pins: Pins) -> Finding:
    return Finding("", pins.public_key, receipt.public_key, pins.public_key == receipt.public_key)


def _key_certified(receipt: Receipt, pins: Pins) -> Finding:
    """Was the key made in a TPM? Said where the receipt tells of one; wrong only where that does not hold."""
    if receipt.attestation is None:
        note = "the receipt does not say in which TPM the key was made"
        return Finding("", pins.public_key, receipt.public_key, pins.ak is None, note)
    try:
        ak = certification.verify(receipt.attestation, receipt.public_key)
    except AttestationError as error:
        note = f"no certification of the key: {error}"
        return Finding("", pins.public_key, "not certified by its TPM", False, note)
    if pins.ak not in (None, ak):
        note = f"expected a key made in the TPM of AK {pins.ak}, got one of AK {ak}"
        return Finding("", pins.public_key, "certified by another AK", False, note)
    note = f"made in the TPM of AK {ak}; worth as much as that AK, published beside the key"
    return Finding("", pins.public_key, receipt.public_key, True, note)


def _signer(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    """Our transactions have no context-free data: 32 zeros stand for it in what is signed."""
    transaction = node.transaction
    key = _p256_key(pins.public_key)
    digest = antelope.signing_digest(blocks.hex_bytes(receipt.chain_id, "chain_id", 32), transaction.packed)
    signatures = [antelope.signature_decode(text) for text in transaction.signatures]
    good = any(curve == "R1" and p256.is_signed_by(key, digest, data) for curve, data in signatures)
    return Finding(node.url, pins.public_key, pins.public_key if good else "not signed by this key", good)


def _p256_key(text: str) -> EllipticCurvePublicKey:
    curve, data = antelope.public_key_decode(text)
    if curve != "R1":
        raise AntelopeError(f"key: expected PUB_R1_…, got {text[:7]}")
    try:
        return p256.key(data)
    except ValueError as error:
        raise AntelopeError(f"key: {error}") from error


def _action_data(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    expected = f"{receipt.account}::{ACTION} of {receipt.ledger_id} with {receipt.digest}"
    packed = node.transaction.packed
    if not antelope.is_name(receipt.account):
        return Finding(node.url, expected, "nothing: this is no account's name", False)
    transaction = Transaction.unpack(packed)
    ours = [action for action in transaction.actions if (action.account, action.name) == (receipt.account, ACTION)]
    if transaction.context_free_actions:  # we make none, and what stands in them was not executed by the contract
        return Finding(node.url, expected, "a transaction with context-free actions", False)
    records = [record for action in ours for record in antelope.unpack_records(action.data)]
    digests = [digest.hex() for ledger_id, digest, _ in records if str(ledger_id) == receipt.ledger_id]
    found = f"{receipt.account}::{ACTION} of {receipt.ledger_id} with {', '.join(digests)}"
    if not digests:
        found = f"no {receipt.account}::{ACTION} of {receipt.ledger_id}"
    return Finding(node.url, expected, found, digests == [receipt.digest])


def _table(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    """The row, or its absence at or below the floor; and the credit that the receipt names."""
    ledger_id, row, credit = node.ledger_id, node.row, node.credited_by
    expected, found, note = f"row {ledger_id} with {receipt.digest}", "absent", ""
    if row is None:
        floor = node.floor
        good = 0 < ledger_id <= floor
        note = f"pruned: the floor is {floor}" if good else f"the floor is {floor}"
    else:
        found, good = f"row {row[0]} with {row[1]}", row == (ledger_id, receipt.digest)
    if receipt.credited_by is not None:
        expected += f", credited by {receipt.credited_by}"
        found += f", credited by {credit or 'none'}"
        good = good and credit == int(receipt.credited_by)
    return Finding(node.url, expected, found, good, note)


def _contract(receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    """A node that is behind cannot tell; a contract changed later than published may have been used meanwhile."""
    code, updated = node.code_hash, node.code_updated
    expected = f"contract {pins.code_hash or code} of {pins.code_updated or updated}"
    found = f"contract {code} of {updated}"
    if pins.code_updated and updated < pins.code_updated:
        return Finding(node.url, expected, found, None, "the node knows an earlier contract only")
    if pins.code_updated and updated > pins.code_updated:
        note = "the contract was changed after the published time: what it holds may have been altered"
        return Finding(node.url, expected, found, False, note)
    missing = [name for name, pin in (("hash", pins.code_hash), ("time", pins.code_updated)) if not pin]
    note = f"the contract's {' and '.join(missing)} was not pinned" if missing else ""
    return Finding(node.url, expected, found, code == (pins.code_hash or code), note)


def _signed(receipt: Receipt, pins: Pins) -> Finding:
    found = signed_finding(receipt, pins)
    return Finding("", found.expected, found.found, found.good)


Offline = Callable[[Receipt, Pins], Finding]
Online = Callable[[Receipt, Pins, Witness], Finding]
STEPS: tuple[tuple[str, tuple[Offline, ...], Online | None], ...] = (
    ("The record and the salt give the digest", (_digest,), None),
    ("The chain and the account are the pinned ones", (_chain_pinned, _account_pinned), _chain),
    ("The block is irreversible", (), _irreversible),
    ("The block id is the hash of its header", (_block_number,), _block_id),
    ("The block's transaction root is that of all its transactions", (), _root),
    ("The transaction was executed", (), _executed),
    ("The transaction id is the hash of a transaction in the block", (), _transaction_id),
    ("The published key signed the transaction", (_key_pinned, _key_certified), _signer),
    ("The transaction records this id and digest", (), _action_data),
    ("The chain's table holds the same digest", (), _table),
    ("The contract is the published one, and unchanged since", (), _contract),
    ("The meter signed what was charged", (_signed,), None),
)


def hear(online: Online, receipt: Receipt, pins: Pins, node: Witness) -> Finding:
    """What this node says; where it gives nothing that can be used, that it cannot tell."""
    try:
        return online(receipt, pins, node)
    except (NodeError, AntelopeError) as error:
        return Finding(node.url, "", "no usable answer", None, str(error)[:300])
