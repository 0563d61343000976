"""Both verifiers, the portal's and the one-file script, against two real nodes: they agree on everything."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from dev.chain.keys import new_keypair
from ledger.receipts import receipt
from tests.ledger.receipts.auditor import run
from tests.ledger.receipts.receipt_chain import Recorded, Verifier, check, verifier

__all__ = ["verifier"]  # fixture


# --- a true receipt


def test_a_true_receipt_is_verified(verifier: Verifier, recorded: Recorded) -> None:
    found = check(verifier, recorded)
    assert found.verdict == "VERIFIED", found.text
    assert "producer" in found.text and "operator" in found.text  # a chain with one producer


def test_it_is_verified_without_a_pinned_chain_id_and_says_so(recorded: Recorded) -> None:
    assert run(recorded).returncode == 0
    unpinned = run(recorded, chain_id=None)
    assert unpinned.returncode == 0 and "Without --chain-id" in unpinned.stdout


def test_a_pruned_row_is_no_fault(verifier: Verifier, recorded: Recorded) -> None:
    found = check(verifier, recorded, recorded.pruned)
    assert found.verdict == "VERIFIED", found.text
    assert "absent" in found.text


# --- every field tampered


def other_char(char: str) -> str:
    """Another character that could stand there as well."""
    if char in "0123456789abcdef":
        return "1" if char == "0" else "0"
    return "B" if char == "A" else "A"


def texts(text: str) -> Iterator[str]:
    """Every single character changed, one left out, one added, and nothing left."""
    for place, char in enumerate(text):
        yield text[:place] + other_char(char) + text[place + 1 :]
    yield from (text[1:], text[:-1], text + "0", " " + text, "")
    if text.upper() != text:
        yield text.upper()


def numbers(number: int) -> Iterator[int]:
    """Every single digit changed, and its neighbours."""
    sign, digits = (-1, str(-number)) if number < 0 else (1, str(number))
    for place, digit in enumerate(digits):
        yield sign * int(digits[:place] + str((int(digit) + 1) % 10) + digits[place + 1 :])
    yield from (number + 1, number - 1, -number)


def values(value: Any) -> Iterator[Any]:
    """Every change of one character somewhere in a JSON value, names of members included."""
    if isinstance(value, str):
        yield from texts(value)
    elif isinstance(value, int):
        yield from numbers(value)
    elif isinstance(value, list):
        yield from chain(([*value[:i], new, *value[i + 1 :]] for i, old in enumerate(value) for new in values(old)))
        yield [*value, "more"]
    else:
        for name in value:
            yield from ({**value, name: new} for new in values(value[name]))
            rest = {other: value[other] for other in value if other != name}
            yield from (rest, {**rest, name + "x": value[name]})


# The step that names each field's change: the first that fails. Later ones may fail with it.
STEP_OF_FIELD = {
    "record": 1,
    "salt": 1,
    "digest": 1,
    "chain_id": 2,
    "block_num": 4,
    "block_id": 4,
    "transaction_id": 7,
    "public_key": 8,
    "ledger_id": 9,
    "account": 2,
}
ONLY_ONE_VALUE = {"format", "signed_meter_values"}
NULL_OR_CERTIFICATION = {"attestation"}  # test_certification.py
NULL_OR_ID = {"credited_by"}  # tests/ledger/test_vectors.py


def test_every_field_is_looked_at(recorded: Recorded) -> None:
    assert set(recorded.receipt) == {*STEP_OF_FIELD, *ONLY_ONE_VALUE, *NULL_OR_CERTIFICATION, *NULL_OR_ID}


@pytest.mark.parametrize(("field", "step"), STEP_OF_FIELD.items())
def test_any_single_change_fails_with_its_step(
    verifier: Verifier, recorded: Recorded, field: str, step: int, remembered: tuple[str, ...]
) -> None:
    changes = [new for new in values(recorded.receipt[field]) if new != recorded.receipt[field]]
    assert len(changes) >= 4
    nodes = () if field in ("record", "salt") else remembered  # nobody need be asked for step 1
    for new in changes:
        found = check(verifier, recorded, {**recorded.receipt, field: new}, nodes=nodes)
        if field == "block_num" and not 0 < new < 1 << 32:
            assert found.verdict == "NOT VALID" and found.failed == (1,), new  # not a receipt
        else:
            assert found.verdict == "NOT VALID" and found.failed[0] == step, (new, found.text)


@pytest.mark.parametrize("field", [*STEP_OF_FIELD, *sorted(ONLY_ONE_VALUE), *NULL_OR_CERTIFICATION, *NULL_OR_ID])
@pytest.mark.parametrize("value", [None, True, 1.5, -1, 2**70, "x", "x" * 101, [], [[]], {}, {"x": None}])
def test_values_of_any_other_type_fail(verifier: Verifier, recorded: Recorded, field: str, value: Any) -> None:
    if value == recorded.receipt[field]:
        return
    found = check(verifier, recorded, {**recorded.receipt, field: value}, nodes=())
    assert found.verdict == "NOT VALID" or (field in ("ledger_id", "transaction_id") and value == "x")


def test_missing_and_additional_fields_fail(verifier: Verifier, recorded: Recorded) -> None:
    for field in recorded.receipt:
        short = {name: value for name, value in recorded.receipt.items() if name != field}
        assert check(verifier, recorded, short).failed == (1,)
    assert check(verifier, recorded, {**recorded.receipt, "energy_wh": 1}).failed == (1,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"receipt"',
        "{",
        "[" * 100_000,
        '{"record":' * 100_000,
        "9" * 10_000,
        "\ud800",
        "{" + " " * 2_000_000 + "}",
        '{"record": {"a": NaN}}',
    ],
)
def test_whatever_is_no_receipt_is_not_valid(verifier: Verifier, recorded: Recorded, text: str) -> None:
    assert check(verifier, recorded, text).verdict == "NOT VALID"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"energy_wh": 7780', '"energy_wh": 7780.0'),
        ('"energy_wh": 7780', '"energy_wh": 778e1'),
        ('"energy_wh": 7780', '"energy_wh": 1, "energy_wh": 7780'),
        ('"energy_wh": 7780', '"energy_wh": 7780, "more": null'),
        ('"energy_wh": 7780', '"energy_wh": 7780, "more": true'),
        ('"energy_wh": 7780', '"energy_wh": 7780, "more": "\\ud800"'),
        ('"format": "evportal-receipt/2"', '"format": "evportal-receipt/2", "format": "evportal-receipt/2"'),
    ],
)
def test_other_spellings_of_the_same_json_fail(verifier: Verifier, recorded: Recorded, old: str, new: str) -> None:
    text = receipt.dumps(recorded.receipt)
    assert old in text
    assert check(verifier, recorded, text.replace(old, new)).failed == (1,)


def test_white_space_and_order_of_the_file_do_not_matter(verifier: Verifier, recorded: Recorded) -> None:
    turned = json.dumps(dict(reversed(recorded.receipt.items())), separators=(",", ":"))
    assert check(verifier, recorded, turned).verdict == "VERIFIED"


# --- what the verifier knows itself


def test_another_published_key_fails_step_8(verifier: Verifier, recorded: Recorded) -> None:
    assert check(verifier, recorded, key=new_keypair("R1").public).failed == (8,)
    own = {**recorded.receipt, "public_key": new_keypair("R1").public}
    assert check(verifier, recorded, own, key=own["public_key"]).failed == (8,)  # key and receipt agree, the chain not


def test_another_pinned_chain_fails_step_2(verifier: Verifier, recorded: Recorded) -> None:
    assert check(verifier, recorded, chain_id="0" * 64).failed == (2,)


def test_another_session_s_place_on_the_chain_fails(verifier: Verifier, recorded: Recorded) -> None:
    """The record of one session with the transaction of another."""
    places = ("transaction_id", "block_num", "block_id")
    mixed = {**recorded.receipt, **{name: recorded.pruned[name] for name in places}}
    assert check(verifier, recorded, mixed).failed == (9,)
