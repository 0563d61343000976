"""Real records on the real chain for the tests of receipts, and both verifiers behind one interface."""

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dev.chain.keys import KeyPair, new_keypair
from dev.chain.nodeos import Nodeos
from dev.chain.setup import Action, bootstrap, push_actions
from dev.chain.transactions import call
from ledger.chain import antelope, block
from ledger.receipts import receipt
from ledger.receipts.node_reader import NodeReader
from ledger.receipts.receipt import Pins
from ledger.record import canonical

SCRIPT = Path(__file__).parents[3] / "ledger" / "standalone" / "verify_receipt.py"
ACCOUNT = "evreceipts"
LEDGER_ID = 4711
PRUNED_ID = 7
RECORD = {
    "format": "evportal-session/1",
    "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "station": "CP-HARBOUR-1",
    "location": {"name": "Büro am Hafen", "country": "DEU"},
    "energy_wh": 7780,
    "cost_minor": -312,
    "flags": ["zero_energy"],
    "\ufb33": "after the next one in UTF-16, before it in UTF-8",
    "\U0001f50c": 'plug "\\\n\x01\x7f',
}


@dataclass(frozen=True)
class Recorded:
    """A chain account with two records; `receipt` is of one that is there, `pruned` of one whose row was pruned."""

    receipt: dict[str, Any]
    pruned: dict[str, Any]
    nodes: tuple[str, str]
    chain_id: str
    key: str
    producer: Nodeos


@dataclass(frozen=True)
class Verification:
    """What a verifier says; `failed` and `undecided` are step numbers."""

    verdict: str
    failed: tuple[int, ...]
    undecided: tuple[int, ...]
    text: str


Verifier = Callable[..., Verification]
Json = dict[str, Any]
STEPS, WORDS = 12, ("failed", "undecided")


def push_record(url: str, ledger_id: int, salt: bytes, record_key: KeyPair) -> str:
    """Record RECORD under this id, between other transactions of the same block; return the transaction's id."""
    digest = antelope.sha256(salt + canonical(RECORD))
    other = [(ledger_id + 1000, antelope.sha256(salt), b"other")]
    records = [*other, (ledger_id, digest, b"sealed copy")]
    before = [(ledger_id + 2000, antelope.sha256(salt * 2), b"")]
    push_actions(url, [_record(before)], [record_key])
    trace = push_actions(url, [_record(records)], [record_key])
    return str(trace["id"])


def _record(records: Sequence[antelope.Record]) -> Action:
    return Action(ACCOUNT, "record", antelope.pack_record_data(records), f"{ACCOUNT}@record")


def receipt_of(node: Nodeos, transaction_id: str, ledger_id: int, salt: bytes, key: str) -> dict[str, Any]:
    """Wait until the transaction is irreversible and make its receipt."""
    num = _block_of(node, transaction_id)
    node.wait_for_block(num)
    found = call(node.url, "chain/get_raw_block", {"block_num_or_id": num})
    assert transaction_id in [transaction.id.hex() for transaction in block.transactions(found)]
    return receipt.build(
        canonical=canonical(RECORD),
        salt=salt,
        digest=antelope.sha256(salt + canonical(RECORD)),
        ledger_id=ledger_id,
        chain_id=node.info()["chain_id"],
        account=ACCOUNT,
        transaction_id=transaction_id,
        block_num=num,
        block_id=block.block_id(found).hex(),
        public_key=key,
    )


def _block_of(node: Nodeos, transaction_id: str) -> int:
    while True:
        status = call(node.url, "chain/get_transaction_status", {"id": transaction_id})
        if status["state"] in ("IN_BLOCK", "IRREVERSIBLE"):
            return int(status["block_number"])


@pytest.fixture(scope="session")
def recorded(chain_node: Nodeos, second_node: Nodeos, producer_key: KeyPair) -> Recorded:
    """A record that is there and one that was pruned, on a chain of two nodes."""
    active, record_key = new_keypair(), new_keypair("R1")
    bootstrap(
        chain_node.url,
        producer_key=producer_key,
        owner_key=new_keypair(),
        active_key=active,
        record_public_key=record_key.public,
        account=ACCOUNT,
    )
    salts = bytes(range(32)), bytes(range(32, 64))
    there_id = push_record(chain_node.url, LEDGER_ID, salts[0], record_key)
    pruned_id = push_record(chain_node.url, PRUNED_ID, salts[1], record_key)
    there = receipt_of(chain_node, there_id, LEDGER_ID, salts[0], record_key.public)
    pruned = receipt_of(chain_node, pruned_id, PRUNED_ID, salts[1], record_key.public)
    prune = PRUNED_ID.to_bytes(8, "little") + (10).to_bytes(4, "little")
    push_actions(chain_node.url, [Action(ACCOUNT, "prune", prune, f"{ACCOUNT}@prune")], [active])
    last = chain_node.info()["head_block_num"] + 1
    for node in (chain_node, second_node):
        node.wait_for_block(last)
    urls = (chain_node.url, second_node.url)
    return Recorded(there, pruned, urls, there["chain_id"], record_key.public, chain_node)


# --- the verifiers


def portal(content: str, nodes: Sequence[str], **pinned: Any) -> Verification:
    """ledger.receipts.receipt, with the nodes as the portal reads them."""
    try:
        loaded = receipt.loads(content)
    except receipt.ReceiptError as error:
        return Verification("NOT VALID", (1,), (), str(error))
    pins = pins_of(**pinned)
    pins["public_key"] = pins.pop("key")
    check = receipt.verify(loaded, [NodeReader(url) for url in nodes], Pins(**pins))
    assert [step.number for step in check.steps] == list(range(1, STEPS + 1))
    outcomes = [step.outcome for step in check.steps]
    return _verification(check.verdict, outcomes, "\n".join(map(str, (*check.steps, check.notices))))


def pins_of(**pinned: Any) -> dict[str, Any]:
    """What is not named is not pinned, but for the account of these tests."""
    nothing: dict[str, Any] = dict.fromkeys(("key", "chain_id", "ak", "code_hash", "code_updated"))
    return {**nothing, "meter_keys": (), "account": ACCOUNT, **pinned}


def _verification(verdict: str, outcomes: Sequence[str], text: str) -> Verification:
    numbers = {word: tuple(n for n, found in enumerate(outcomes, start=1) if found == word) for word in WORDS}
    if numbers["failed"] == (1,) and len(numbers["undecided"]) == STEPS - 1:
        return Verification(verdict, (1,), (), text)  # no receipt
    return Verification(verdict, numbers["failed"], numbers["undecided"], text)


@cache
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_receipt", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def standalone(content: str, nodes: Sequence[str], **pinned: Any) -> Verification:
    """The one-file verifier, in this process."""
    steps, notices = script().verify(content.encode(errors="surrogatepass"), nodes, pins_of(**pinned))
    outcomes = [step[1] for step in steps]
    verdict = "NOT VALID" if "failed" in outcomes else "NOT DECIDED" if "undecided" in outcomes else "VERIFIED"
    return _verification(verdict, outcomes, json.dumps([*steps, notices, *script().words(notices, pins_of(**pinned))]))


@pytest.fixture(params=[portal, standalone], ids=["portal", "standalone"])
def verifier(request: pytest.FixtureRequest) -> Verifier:
    found: Verifier = request.param
    return found


def check(verifier: Verifier, made: Recorded, content: Json | str | None = None, **changed: Any) -> Verification:
    """What it says of the receipt as it was made, where nothing else is named."""
    text = content if isinstance(content, str) else receipt.dumps(made.receipt if content is None else content)
    nodes = changed.pop("nodes", made.nodes)
    return verifier(text, nodes, **{"key": made.key, "chain_id": made.chain_id, **changed})
