"""Receipts without a chain: building, reading, and how steps are judged."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.chain.keys import new_keypair
from ledger.chain.antelope import sha256
from ledger.receipts import receipt
from ledger.receipts.receipt import Pins, ReceiptError
from ledger.receipts.witness import NodeError, Place
from ledger.record import canonical
from tests.ledger.receipts.receipt_chain import RECORD, STEPS, portal, standalone

FEWER = settings(max_examples=50)
KEY = new_keypair("R1").public
SALT = bytes(range(32))
PARTS: dict[str, Any] = {
    "canonical": canonical(RECORD),
    "salt": SALT,
    "digest": sha256(SALT + canonical(RECORD)),
    "ledger_id": 2**64 - 1,
    "chain_id": "ab" * 32,
    "account": "evledger",
    "transaction_id": "cd" * 32,
    "block_num": 5,
    "block_id": "00000005" + "ef" * 28,
    "public_key": KEY,
}


def test_a_receipt_is_json_that_browsers_read_exactly() -> None:
    made = receipt.build(**PARTS)
    assert made["record"] == RECORD
    assert made["ledger_id"] == "18446744073709551615"
    assert (made["format"], made["attestation"], made["signed_meter_values"]) == ("evportal-receipt/2", None, [])
    assert receipt.loads(receipt.dumps(made)) == made


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("canonical", b'{"b": 1}', "RFC 8785"),
        ("canonical", b'{"b":1,"a":2}', "RFC 8785"),
        ("canonical", b'{"b":1.5}', "integers only"),
        ("canonical", b'{"b":null}', "integers and text"),
        ("canonical", b"[]", "expected a JSON object"),
        ("canonical", b'{"b":9007199254740992}', "2\\^53-1"),
        ("salt", bytes(31), "salt: expected 32 bytes, got 31"),
        ("digest", bytes(33), "digest: expected 32 bytes, got 33"),
        ("chain_id", "AB" * 32, "chain_id: expected lower-case hex"),
        ("transaction_id", "", "transaction_id: expected 32 bytes, got 0"),
        ("block_id", "xy" * 32, "block_id: expected lower-case hex"),
        ("block_num", 0, "block_num: expected a number of 32 bits"),
        ("ledger_id", -1, "ledger_id: expected a number of 64 bits"),
        ("ledger_id", 2**64, "ledger_id: expected a number of 64 bits"),
        ("account", "Evledger", "expected a name"),
        pytest.param("public_key", KEY[:-1] + ("2" if KEY[-1] != "2" else "3"), "checksum", id="public_key-checksum"),
    ],
)
def test_no_receipt_is_built_of_wrong_parts(part: str, value: Any, message: str) -> None:
    with pytest.raises(ReceiptError, match=message):
        receipt.build(**{**PARTS, part: value})


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
records = st.dictionaries(
    texts,
    st.recursive(
        st.integers(-(2**53) + 1, 2**53 - 1) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


@FEWER
@given(records)
def test_both_verifiers_write_the_same_canonical_record(record: dict[str, Any]) -> None:
    """rfc8785 and the script's standard library, for every text and order of members: step 1 is ok in both."""
    made = receipt.build(**{**PARTS, "canonical": canonical(record), "digest": sha256(SALT + canonical(record))})
    for verifier in (portal, standalone):
        found = verifier(receipt.dumps(made), (), key=KEY, chain_id=PARTS["chain_id"], account=PARTS["account"])
        assert (found.verdict, found.undecided) == ("NOT DECIDED", tuple(range(2, STEPS))), found.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@FEWER
@given(st.dictionaries(st.sampled_from([*receipt.build(**PARTS)]), json_values, min_size=1))
def test_hostile_fields_never_raise(changes: dict[str, Any]) -> None:
    content = {**receipt.build(**PARTS), **changes}
    check = receipt.verify(content, [], Pins(KEY))
    assert [step.number for step in check.steps] == list(range(1, STEPS + 1))
    assert check.verdict != "VERIFIED"
    standalone(json.dumps(content), (), key=KEY, chain_id=None)


class Nonsense:
    """A node whose every answer is the same nonsense."""

    def __init__(self, url: str, answer: Any) -> None:
        self.url = url
        self._answer = answer

    def _say(self) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def ask(self, call: str, body: Mapping[str, Any]) -> Any:
        return self._say()

    def place(self) -> Place:
        return Place(frozenset({self.url}), 80)


FIELDS = ("chain_id", "transactions", "previous", "timestamp", "rows", "floor", "digest", "id", "active", "trx")


@FEWER
@given(json_values | st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_hostile_nodes_never_raise_and_never_verify(answer: Any) -> None:
    nodes = [Nonsense("http://a", answer), Nonsense("http://b", answer)]
    assert receipt.verify(receipt.build(**PARTS), nodes, Pins(KEY, PARTS["chain_id"])).verdict != "VERIFIED"


def test_what_a_silent_node_said_is_kept() -> None:
    nodes = [Nonsense(url, NodeError("connection refused")) for url in ("http://a", "http://b")]
    steps = receipt.verify(receipt.build(**PARTS), nodes, Pins(KEY, PARTS["chain_id"])).steps
    assert [step.outcome for step in steps] == ["ok", *["undecided"] * (STEPS - 2), "ok"]
    assert "http://a: connection refused" in steps[3].note
