"""PURE: build receipts of recorded sessions, and verify them against the nodes of the chain in twelve steps.

 1. the record and the salt give the digest
 2. the chain and the account are the pinned ones
 3. the block is irreversible
 4. the block's id is the hash of its header
 5. the block's transaction root is that of all its transactions
 6. the transaction was executed
 7. the transaction's id is the hash of a transaction in the block
 8. the key published elsewhere than in the receipt signed it; what the receipt says of the TPM it was made in holds
 9. its action data hold the ledger id and the digest
10. the chain's table holds the same digest (absent only at or below the contract's floor), and the credit that it names
11. the contract is the published one, and unchanged since
12. the meter signed what was charged, where it signed anything

A step is ok only when all nodes, at least two, say so. It failed only when the receipt contradicts itself or the pinned
values, or when at least two nodes contradict it and none agrees. All else is undecided: one of the nodes may lie.

`ledger/standalone/verify_receipt.py` takes the same steps in one file without us, static/js/verify in a browser:
docs/receipts.md has what all three hold to, and tests/vectors what they all have to say.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ledger.chain.antelope import AntelopeError
from ledger.receipts.form import FIRST_FORMAT, FORMAT, Receipt, ReceiptError, check_texts, loads, parse
from ledger.receipts.pins import Pins
from ledger.receipts.signed import Signed, signed_finding
from ledger.receipts.steps import STEPS, Finding, hear
from ledger.receipts.witness import Node, NodeError, Place, Witness

__all__ = [
    "STEPS",
    "Check",
    "Node",
    "NodeError",
    "Notices",
    "Pins",
    "Place",
    "Receipt",
    "ReceiptError",
    "Step",
    "build",
    "dumps",
    "loads",
    "parse",
    "verify",
]

NODES_MIN = 2
T = TypeVar("T")
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
class Notices:
    """What a reader has to know beside the steps; None where no node tells."""

    credited: str | None = None  # the ledger id of the credit that took the session back
    producers: int | None = None  # of different answers the smallest
    replaceable_by: tuple[str, ...] | None = None  # who could replace the contract: "evledger@owner"; () nobody
    hosts: int = 0  # on how many distinct hosts the nodes are that answered
    signed: Signed | None = None  # what the meter signed; None where there is no receipt


@dataclass(frozen=True, slots=True)
class Check:
    """The twelve steps, and the notices."""

    steps: tuple[Step, ...]
    notices: Notices

    @property
    def verdict(self) -> Verdict:
        """NOT VALID if any step failed, else NOT DECIDED if any could not be decided, else VERIFIED."""
        outcomes = {step.outcome for step in self.steps}
        if "failed" in outcomes:
            return "NOT VALID"
        return "VERIFIED" if outcomes == {"ok"} else "NOT DECIDED"


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
    credited_by: int | None = None,
) -> dict[str, Any]:
    """Return the receipt as JSON values; raises ReceiptError where a part has not the right form.

    `attestation` is the certification of the key (ledger/receipts/certification.py), None where there is none;
    `credited_by` the
    ledger id of the credit that took the session back.
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
        "credited_by": None if credited_by is None else str(credited_by),
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


# --- verifying ---


def verify(receipt: Mapping[str, Any], nodes: Sequence[Node], pins: Pins) -> Check:
    """Take the twelve steps; never raises on a hostile receipt or a hostile node.

    Nodes that are one count once, the first. A receipt that cannot be read fails step 1, and nothing else is decided.
    """
    try:
        read = parse(receipt)
    except ReceiptError as error:
        return Check(tuple(_unreadable(error)), Notices())
    witnesses = _distinct([Witness(node, read) for node in nodes])
    steps, telling = [], set()
    for number, (title, offline, online) in enumerate(STEPS, start=1):
        findings = [check(read, pins) for check in offline]
        findings += [hear(online, read, pins, witness) for witness in witnesses] if online else []
        telling |= {finding.source for finding in findings if finding.good is not None}
        steps.append(_judge(number, title, findings, nodes_needed=NODES_MIN if online else 0))
    answered = [witness for witness in witnesses if witness.url in telling]
    return Check(tuple(steps), _notices(read, pins, witnesses, answered))


def _distinct(witnesses: Sequence[Witness]) -> list[Witness]:
    """Without those that are the same node as one before them."""
    found: list[Witness] = []
    for witness in witnesses:
        if any(witness.place().is_same_node(other.place()) for other in found):
            continue
        if witness.url.startswith("https:") and _shares_certificate(witness, found):
            continue
        found.append(witness)
    return found


def _shares_certificate(witness: Witness, others: Sequence[Witness]) -> bool:
    """A certificate is known once something was asked."""
    _told([witness], lambda node: node.chain_id)
    return any(witness.place().is_same_node(other.place()) for other in others)


def _notices(receipt: Receipt, pins: Pins, witnesses: Sequence[Witness], answered: Sequence[Witness]) -> Notices:
    credits = _told(witnesses, lambda node: node.credited_by)
    producers = _told(witnesses, lambda node: node.producers)
    holders = _told(witnesses, lambda node: node.replaceable_by)
    places: list[Place] = []
    for place in (witness.place() for witness in answered):
        if not any(place.is_same_host(other) for other in places):
            places.append(place)
    return Notices(
        credited=str(credits[0]) if credits else receipt.credited_by,
        producers=min(producers, default=None),
        replaceable_by=tuple(sorted({name for names in holders for name in names})) if holders else None,
        hosts=len(places),
        signed=signed_finding(receipt, pins).notice,
    )


def _told(witnesses: Sequence[Witness], ask: Callable[[Witness], T | None]) -> list[T]:
    """What those say who say something."""
    found = []
    for witness in witnesses:
        with suppress(NodeError, AntelopeError):
            found.append(ask(witness))
    return [value for value in found if value is not None]


def _unreadable(error: ReceiptError) -> Iterator[Step]:
    expected = f"a receipt of format {FORMAT} or {FIRST_FORMAT}"
    yield Step(1, STEPS[0][0], expected, "another form", "failed", str(error))
    for number, (title, _, _) in enumerate(STEPS[1:], start=2):
        yield Step(number, title, "", "", "undecided", "the receipt cannot be read")


def _judge(number: int, title: str, findings: Sequence[Finding], *, nodes_needed: int) -> Step:
    online = [finding for finding in findings if finding.source]
    goods, bads = ([f for f in online if f.good is good] for good in (True, False))
    notes = [f"{f.source}: {f.note}" if f.source else f.note for f in findings if f.note]
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
