"""PURE: build receipts of recorded sessions, and verify them against the nodes of the chain in ten steps.

 1. the record and the salt give the digest
 2. the chain is the pinned one
 3. the block is irreversible
 4. the block's id is the hash of its header
 5. the block's transaction root is that of all its transactions
 6. the transaction was executed
 7. the transaction's id is the hash of a transaction in the block
 8. the key published elsewhere than in the receipt signed it; what the receipt says of the TPM it was made in holds
 9. its action data hold the ledger id and the digest
10. the chain's table holds the same digest (absent only at or below the contract's floor)

A step is ok only when all nodes, at least two, say so. It failed only when the receipt contradicts itself or the pinned
values, or when at least two nodes contradict it and none agrees. All else is undecided: one of the nodes may lie.

`ledger/standalone/verify_receipt.py` takes the same steps in one file without us; the tests compare the two.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ledger import antelope, certification, p256
from ledger import block as blocks
from ledger.antelope import AntelopeError
from ledger.receipt_form import FORMAT, Receipt, ReceiptError, check_texts, loads, parse
from ledger.witness import Node, NodeError, Witness, uint
from tpm.structures import AttestationError

__all__ = [
    "Node",
    "NodeError",
    "Receipt",
    "ReceiptError",
    "Step",
    "build",
    "dumps",
    "loads",
    "parse",
    "verdict",
    "verify",
]

NODES_MIN = 2
ACTION = "record"
Outcome = Literal["ok", "failed", "undecided"]
Verdict = Literal["VERIFIED", "NOT VALID", "NOT DECIDED"]


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered step: what was compared and how it came out."""

    number: int
    title: str
    expected: str
    found: str
    outcome: Outcome
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one source says about a step. `good` is None where it cannot tell; `source` is "" for the receipt itself."""

    source: str
    expected: str
    found: str
    good: bool | None
    note: str = ""


# --- building ---


def build(
    *,
    canonical: bytes,
    salt: bytes,
    digest: bytes,
    ledger_id: int,
    chain_id: str,
    account: str,
    transaction_id: str,
    block_num: int,
    block_id: str,
    public_key: str,
    attestation: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the receipt as JSON values; raises ReceiptError where a part has not the right form.

    `attestation` is the certification of the key (ledger/certification.py), None where there is none.
    """
    receipt = {
        "format": FORMAT,
        "record": loads(canonical),
        "salt": salt.hex(),
        "digest": digest.hex(),
        "ledger_id": str(ledger_id),  # text: JavaScript loses digits of large numbers
        "chain_id": chain_id,
        "account": account,
        "transaction_id": transaction_id,
        "block_num": block_num,
        "block_id": block_id,
        "public_key": public_key,
        "attestation": dict(attestation) if attestation else None,
        "signed_meter_values": [],
    }
    read = parse(receipt)
    check_texts(read)
    if read.canonical != canonical:
        raise ReceiptError("record: expected RFC 8785 bytes, got another form of the same JSON")
    return receipt


def dumps(receipt: Mapping[str, Any]) -> str:
    """Return the receipt as text for a file, readable by people."""
    return json.dumps(receipt, indent=2, ensure_ascii=False) + "\n"


# --- the steps ---


@dataclass(frozen=True, slots=True)
class Pinned:
    """What the verifier knows from elsewhere than the receipt; None where nobody pinned `chain_id` or `ak`."""

    chain_id: str | None
    public_key: str
    ak: str | None


def _digest(receipt: Receipt, pinned: Pinned) -> Finding:
    try:
        found = antelope.sha256(blocks.hex_bytes(receipt.salt, "salt", 32) + receipt.canonical).hex()
    except AntelopeError as error:
        return Finding("", receipt.digest, "no digest", False, str(error))
    return Finding("", receipt.digest, found, found == receipt.digest)


def _chain_pinned(receipt: Receipt, pinned: Pinned) -> Finding:
    if pinned.chain_id is None:
        return Finding("", receipt.chain_id, receipt.chain_id, True, "the chain id was not pinned")
    return Finding("", pinned.chain_id, receipt.chain_id, pinned.chain_id == receipt.chain_id)


def _chain(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    found = str(node.info["chain_id"])[:64]
    return Finding(node.url, receipt.chain_id, found, found == receipt.chain_id)


def _irreversible(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    last = uint(node.info["last_irreversible_block_num"])
    good = True if last >= receipt.block_num else None  # the node may be behind: never a contradiction
    expected = f"block {receipt.block_num} at or below the last irreversible block"
    return Finding(node.url, expected, f"last irreversible block {last}", good, "" if good else "not irreversible yet")


def _block_number(receipt: Receipt, pinned: Pinned) -> Finding:
    expected = f"block id {receipt.block_num:08x}…"
    found = f"block id {receipt.block_id[:8]}…"
    return Finding("", expected, found, found == expected)


def _block_id(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    found = blocks.block_id(node.block).hex()
    return Finding(node.url, receipt.block_id, found, found == receipt.block_id)


def _root(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    expected, found = str(node.block.get("transaction_mroot"))[:64], blocks.transaction_root(node.block).hex()
    return Finding(node.url, expected, found, expected == found)


def _executed(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    status = node.transaction.status
    return Finding(node.url, "executed", status, status == "executed")


def _transaction_id(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    ids = [transaction.id.hex() for transaction in node.transactions]
    good = receipt.transaction_id in ids
    found = receipt.transaction_id if good else f"none of the block's {len(ids)} transactions"
    return Finding(node.url, receipt.transaction_id, found, good)


def _key_pinned(receipt: Receipt, pinned: Pinned) -> Finding:
    return Finding("", pinned.public_key, receipt.public_key, pinned.public_key == receipt.public_key)


def _key_certified(receipt: Receipt, pinned: Pinned) -> Finding:
    """Was the key made in a TPM? Said where the receipt tells of one; wrong only where that does not hold."""
    if receipt.attestation is None:
        note = "the receipt does not say in which TPM the key was made"
        return Finding("", pinned.public_key, receipt.public_key, pinned.ak is None, note)
    try:
        ak = certification.verify(receipt.attestation, receipt.public_key)
    except AttestationError as error:
        return Finding(
            "", pinned.public_key, "not certified by its TPM", False, f"no certification of the key: {error}"
        )
    if pinned.ak not in (None, ak):
        note = f"expected a key made in the TPM of AK {pinned.ak}, got one of AK {ak}"
        return Finding("", pinned.public_key, "certified by another AK", False, note)
    note = f"made in the TPM of AK {ak}; worth as much as that AK, published beside the key"
    return Finding("", pinned.public_key, receipt.public_key, True, note)


def _signer(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    transaction = node.transaction
    chain_id = blocks.hex_bytes(receipt.chain_id, "chain_id", 32)
    digest = antelope.signing_digest(chain_id, transaction.packed, transaction.context_free_data)
    keys = [_recover(digest, signature) for signature in transaction.signatures]
    return Finding(node.url, pinned.public_key, ", ".join(keys) or "no signature", pinned.public_key in keys)


@lru_cache(maxsize=64)  # both nodes give the same signature
def _recover(digest: bytes, signature: str) -> str:
    curve, data = antelope.signature_decode(signature)
    if curve != "R1":
        return f"a {curve} key"
    try:
        return antelope.public_key_encode(p256.recover(digest, data))
    except p256.RecoveryError:
        return "no key"


def _action_data(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    actions = antelope.Transaction.unpack(node.transaction.packed).actions
    ours = [action for action in actions if (action.account, action.name) == (receipt.account, ACTION)]
    records = [record for action in ours for record in antelope.unpack_records(action.data)]
    digests = [digest.hex() for ledger_id, digest, _ in records if str(ledger_id) == receipt.ledger_id]
    expected = f"{receipt.account}::{ACTION} of {receipt.ledger_id} with {receipt.digest}"
    found = f"{receipt.account}::{ACTION} of {receipt.ledger_id} with {', '.join(digests)}"
    if not digests:
        found = f"no {receipt.account}::{ACTION} of {receipt.ledger_id}"
    return Finding(node.url, expected, found, digests == [receipt.digest])


def _table(receipt: Receipt, pinned: Pinned, node: Witness) -> Finding:
    expected = f"row {receipt.ledger_id} with {receipt.digest}"
    row = node.row
    if row is None:
        pruned = node.ledger_id <= node.floor
        note = f"pruned: the floor is {node.floor}" if pruned else f"the floor is {node.floor}"
        return Finding(node.url, expected, "absent", pruned, note)
    found = f"row {uint(row['id'])} with {str(row['digest'])[:64]}"
    return Finding(node.url, expected, found, found == expected)


Offline = Callable[[Receipt, Pinned], Finding]
Online = Callable[[Receipt, Pinned, Witness], Finding]
STEPS: tuple[tuple[str, tuple[Offline, ...], Online | None], ...] = (
    ("The record and the salt give the digest", (_digest,), None),
    ("The chain is the pinned one", (_chain_pinned,), _chain),
    ("The block is irreversible", (), _irreversible),
    ("The block id is the hash of its header", (_block_number,), _block_id),
    ("The block's transaction root is that of all its transactions", (), _root),
    ("The transaction was executed", (), _executed),
    ("The transaction id is the hash of a transaction in the block", (), _transaction_id),
    ("The published key signed the transaction", (_key_pinned, _key_certified), _signer),
    ("The transaction records this id and digest", (), _action_data),
    ("The chain's table holds the same digest", (), _table),
)


def verify(
    receipt: Mapping[str, Any], nodes: Sequence[Node], *, chain_id: str | None, public_key: str, ak: str | None = None
) -> Iterator[Step]:
    """Yield the ten steps, each as soon as it is done; never raises on a hostile receipt or a hostile node.

    `chain_id` (hex), `public_key` (PUB_R1_…) and `ak` (fingerprint of the AK in whose TPM the key was made, hex) are
    those published elsewhere than in the receipt. Nodes with the same URL count once. A receipt that cannot be read
    fails step 1, and nothing else is decided.
    """
    try:
        read = parse(receipt)
    except ReceiptError as error:
        yield from _unreadable(error)
        return
    pinned = Pinned(chain_id, public_key, ak)
    witnesses = [Witness(node, read) for node in {node.url.rstrip("/"): node for node in nodes}.values()]
    for number, (title, offline, online) in enumerate(STEPS, start=1):
        findings = [check(read, pinned) for check in offline]
        findings += [_hear(online, read, pinned, witness) for witness in witnesses] if online else []
        note = producers_note(witnesses) if number == 3 else ""
        yield _judge(number, title, findings, note, nodes_needed=NODES_MIN if online else 0)


def verdict(steps: Sequence[Step]) -> Verdict:
    """Return NOT VALID if any step failed, else NOT DECIDED if any could not be decided, else VERIFIED."""
    outcomes = {step.outcome for step in steps}
    if "failed" in outcomes:
        return "NOT VALID"
    return "VERIFIED" if outcomes == {"ok"} and len(steps) == len(STEPS) else "NOT DECIDED"


def producers_note(witnesses: Sequence[Witness]) -> str:
    """Say how many producers the chain has; of different answers the smallest counts."""
    counts = []
    for witness in witnesses:
        try:
            counts.append(witness.producers)
        except (NodeError, LookupError, TypeError):
            return f"{witness.url} does not say how many producers the chain has"
    if not counts:
        return ""
    if min(counts) <= 1:
        return "the chain has 1 producer: a chain with one producer proves nothing against its operator"
    return f"the chain has {min(counts)} producers"


def _unreadable(error: ReceiptError) -> Iterator[Step]:
    yield Step(1, STEPS[0][0], f"a receipt of format {FORMAT}", "another form", "failed", str(error))
    for number, (title, _, _) in enumerate(STEPS[1:], start=2):
        yield Step(number, title, "", "", "undecided", "the receipt cannot be read")


def _hear(online: Online, receipt: Receipt, pinned: Pinned, witness: Witness) -> Finding:
    try:
        return online(receipt, pinned, witness)
    except (NodeError, AntelopeError) as error:
        return Finding(witness.url, "", "no usable answer", None, str(error)[:300])
    except (LookupError, TypeError) as error:  # a member is missing or of another type
        return Finding(witness.url, "", "no usable answer", None, f"not the expected shape: {error!r}"[:300])


def _judge(number: int, title: str, findings: Sequence[Finding], note: str, *, nodes_needed: int) -> Step:
    online = [finding for finding in findings if finding.source]
    goods, bads = ([f for f in online if f.good is good] for good in (True, False))
    notes = [note, *(f"{f.source}: {f.note}" if f.source else f.note for f in findings if f.note)]
    outcome: Outcome = "undecided"
    if any(finding.good is False for finding in findings if not finding.source):
        outcome = "failed"
    elif goods and bads:
        notes.append("the nodes disagree, one of them is wrong: ask a third")
    elif len(online) < nodes_needed:
        notes.append(f"at least {nodes_needed} nodes, got {len(online)}")
    elif len(bads) >= max(nodes_needed, 1):
        outcome = "failed"
    elif len(goods) == len(online):
        outcome = "ok"
    elif bads:
        notes.append("only one node answered")
    expected = next((finding.expected for finding in findings if finding.expected), "")
    return Step(number, title, expected, _found(findings), outcome, "; ".join(filter(None, dict.fromkeys(notes))))


def _found(findings: Sequence[Finding]) -> str:
    """Name what was found once where all agree, else with its source."""
    if len({finding.found for finding in findings}) == 1:
        return findings[0].found
    return "; ".join(dict.fromkeys(f"{finding.source or 'receipt'}: {finding.found}" for finding in findings))
