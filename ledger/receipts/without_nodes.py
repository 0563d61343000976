"""PURE: what a receipt proves by itself since /3: steps 4 to 9 from its chain part, 13 to 15 from its log part."""

from collections.abc import Callable

from ledger.chain import antelope
from ledger.chain.antelope import AntelopeError
from ledger.receipts import chain_part, log_part
from ledger.receipts.finding import Finding, recorded_finding, signer_finding
from ledger.receipts.form import Receipt
from ledger.receipts.note import LogError
from ledger.receipts.parts import ChainPart, LogPart
from ledger.receipts.pins import Pins

NODES_ALONE = (3, 10, 11)  # steps that only a node can tell


def _header(receipt: Receipt, pins: Pins, part: ChainPart) -> Finding:
    found = chain_part.header_of(part).id.hex()
    good = found == receipt.block_id and found[:8] == f"{receipt.block_num:08x}"
    key = chain_part.producer_key(part)
    signed = f"signed by the producer with {key}, which the receipt names" if key else "the producer's signature: none"
    return Finding("", receipt.block_id, found, good, signed)


def _root(receipt: Receipt, pins: Pins, part: ChainPart) -> Finding:
    expected = chain_part.header_of(part).transaction_root.hex()
    found = chain_part.root_of(part).hex()
    return Finding("", expected, found, expected == found)


def _executed(receipt: Receipt, pins: Pins, part: ChainPart) -> Finding:
    return Finding("", "executed", part.status[:100], part.status == "executed")


def _transaction_id(receipt: Receipt, pins: Pins, part: ChainPart) -> Finding:
    found = antelope.sha256(chain_part.stored_of(part)).hex()
    return Finding("", receipt.transaction_id, found, found == receipt.transaction_id)


def _signer(receipt: Receipt, pins: Pins, part: ChainPart) -> Finding:
    return signer_finding(receipt, pins, "", chain_part.packed_of(part), part.signatures)


def _records(receipt: Receipt, pins: Pins, part: ChainPart) -> Finding:
    return recorded_finding(receipt, "", chain_part.packed_of(part))


ChainStep = Callable[[Receipt, Pins, ChainPart], Finding]
CHAIN_STEPS: dict[int, ChainStep] = {
    4: _header,
    5: _root,
    6: _executed,
    7: _transaction_id,
    8: _signer,
    9: _records,
}
LogStep = Callable[[Receipt, Pins, LogPart], Finding]
LOG_STEPS: tuple[tuple[str, LogStep], ...] = (
    ("The log holds the record", log_part.holds),
    ("The log's key signed the checkpoint", log_part.signed_by_log),
    ("Witnesses signed the checkpoint", log_part.signed_by_witnesses),
)


def chain_findings(number: int, receipt: Receipt, pins: Pins) -> list[Finding]:
    """What the chain part says of this step; [] where there is none, or where the step is not of it."""
    if receipt.chain is None or number not in CHAIN_STEPS:
        return []
    try:
        return [CHAIN_STEPS[number](receipt, pins, receipt.chain)]
    except AntelopeError as error:
        return [Finding("", "", "a chain part that does not hold", False, str(error)[:300])]


def log_findings(step: LogStep, receipt: Receipt, pins: Pins) -> list[Finding]:
    """What the log part says of this step."""
    if receipt.log is None:
        return [Finding("", "", "", None, "the receipt has no log part")]
    try:
        return [step(receipt, pins, receipt.log)]
    except LogError as error:
        return [Finding("", "", "a log part that does not hold", False, str(error)[:300])]
