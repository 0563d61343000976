"""PURE: build receipts of recorded sessions, and verify them against the nodes of the chain in twelve steps, and
where they have a log part in three more.

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
13. the log holds the record
14. the log's key signed the checkpoint that says so
15. witnesses signed it, as many of the pinned ones as have to

A step is ok only when all nodes, at least two, say so. It failed only when the receipt contradicts itself or the pinned
values, or when at least two nodes contradict it and none agrees. All else is undecided: one of the nodes may lie.
Offline nobody is asked: what only a node can tell is `not asked`, and the verdict another one.

`ledger/standalone/verify_receipt.py` takes the same steps in one file without us, static/js/verify in a browser:
docs/receipts.md has what all three hold to, and tests/vectors what they all have to say.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ledger.chain.antelope import AntelopeError
from ledger.receipts import chain_part, log_part
from ledger.receipts.finding import Finding
from ledger.receipts.form import FIRST_FORMAT, FORMAT, LOGGED_FORMAT, Receipt, ReceiptError, check_texts, loads, parse
from ledger.receipts.log_part import LogNotice
from ledger.receipts.pins import Pins
from ledger.receipts.signed import Signed, signed_finding
from ledger.receipts.steps import STEPS, hear
from ledger.receipts.without_nodes import CHAIN_STEPS, LOG_STEPS, NODES_ALONE, chain_findings, log_findings
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
Outcome = Literal["ok", "failed", "undecided", "not asked"]
Verdict = Literal["VERIFIED", "VERIFIED OFFLINE", "NOT VALID", "NOT DECIDED"]


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
    log: LogNotice | None = None  # None where there is no log part that can be read
    producer_key: str | None = None  # with which the producer signed the header, where the receipt proves it


@dataclass(frozen=True, slots=True)
class Check:
    """The twelve steps, of a log part three more, and the notices."""

    steps: tuple[Step, ...]
    notices: Notices
    offline: bool = False

    @property
    def verdict(self) -> Verdict:
        """NOT VALID if any step failed, else NOT DECIDED if any could not be decided, else VERIFIED."""
        outcomes = {step.outcome for step in self.steps}
        if "failed" in outcomes:
            return "NOT VALID"
        if outcomes - {"ok", "not asked"}:
            return "NOT DECIDED"
        return "VERIFIED OFFLINE" if self.offline else "VERIFIED"


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
    log: Mapping[str, Any] | None = None,
    chain: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the receipt as JSON values; raises ReceiptError where a part has not the right form.

    `attestation` is the certification of the key (ledger/receipts/certification.py), None where there is none;
    `credited_by` the ledger id of the credit that took the session back. With a `log` it is of /3, else of /2.
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
    if log is not None:
        receipt |= {"format": LOGGED_FORMAT, "log": dict(log), "chain": dict(chain) if chain else None}
    read = parse(receipt)
    check_texts(read)
    if read.canonical != canonical:
        raise ReceiptError("record: expected RFC 8785 bytes, got another form of the same JSON")
    return receipt


def dumps(receipt: Mapping[str, Any]) -> str:
    """Return the receipt as text for a file, readable by people."""
    return json.dumps(receipt, indent=2, ensure_ascii=False) + "\n"


# --- verifying ---


def verify(receipt: Mapping[str, Any], nodes: Sequence[Node], pins: Pins, *, offline: bool = False) -> Check:
    """Take the steps; never raises on a hostile receipt or a hostile node. Offline no node is asked.

    Nodes that are one count once, the first. A receipt that cannot be read fails step 1, and nothing else is decided.
    """
    try:
        read = parse(receipt)
    except ReceiptError as error:
        return Check(tuple(_unreadable(error, offline)), Notices(), offline)
    witnesses = [] if offline else _distinct([Witness(node, read) for node in nodes])
    steps, telling = [], set()
    for number, (title, own, online) in enumerate(STEPS, start=1):
        findings = [check(read, pins) for check in own] + chain_findings(number, read, pins)
        if offline:
            steps.append(_judge_offline(number, title, findings, read))
            continue
        findings += [hear(online, read, pins, witness) for witness in witnesses] if online else []
        telling |= {finding.source for finding in findings if finding.good is not None}
        steps.append(_judge(number, title, findings, nodes_needed=NODES_MIN if online else 0))
    if offline or read.log:
        steps += _log_steps(read, pins, offline)
    answered = [witness for witness in witnesses if witness.url in telling]
    return Check(tuple(steps), _notices(read, pins, witnesses, answered), offline)


def _judge_offline(number: int, title: str, findings: Sequence[Finding], receipt: Receipt) -> Step:
    """What only a node can tell is not asked, what the chain part would tell neither where there is none."""
    step = _judge(number, title, findings, nodes_needed=0)
    needs_a_node = number in NODES_ALONE or (number in CHAIN_STEPS and receipt.chain is None)
    if step.outcome == "failed" or not needs_a_node:
        return step
    note = "only a node can tell" if number in NODES_ALONE else "the receipt has no chain part"
    return Step(number, title, "", "", "not asked", note)


def _log_steps(receipt: Receipt, pins: Pins, offline: bool) -> Iterator[Step]:
    """Offline something has to be known from elsewhere: whoever made the receipt could have made its keys, too."""
    for number, (title, check) in enumerate(LOG_STEPS, start=len(STEPS) + 1):
        findings = log_findings(check, receipt, pins)
        if offline and number > len(STEPS) + 1 and not pins.is_log_pinned:
            findings.append(Finding("", "", "", None, "neither the log's key nor a witness is pinned"))
        yield _judge(number, title, findings, nodes_needed=0)


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
        log=log_part.notice(receipt.log),
        producer_key=_producer_key(receipt),
    )


def _producer_key(receipt: Receipt) -> str | None:
    """Step 4 says whether the header is the block's."""
    findings = chain_findings(4, receipt, Pins(""))
    if receipt.chain is None or not all(finding.good for finding in findings):
        return None
    return chain_part.producer_key(receipt.chain)


def _told(witnesses: Sequence[Witness], ask: Callable[[Witness], T | None]) -> list[T]:
    """What those say who say something."""
    found = []
    for witness in witnesses:
        with suppress(NodeError, AntelopeError):
            found.append(ask(witness))
    return [value for value in found if value is not None]


def _unreadable(error: ReceiptError, offline: bool) -> Iterator[Step]:
    expected = f"a receipt of format {LOGGED_FORMAT}, {FORMAT} or {FIRST_FORMAT}"
    yield Step(1, STEPS[0][0], expected, "another form", "failed", str(error))
    titles = [title for title, _, _ in STEPS[1:]] + [title for title, _ in LOG_STEPS if offline]
    for number, title in enumerate(titles, start=2):
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
    elif any(finding.good is None for finding in findings if not finding.source):
        outcome = "undecided"
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
