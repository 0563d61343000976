"""The log's checkpoints on the chain: they only grow, one root a size, by the permission `record` alone."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dev.chain.keys import KeyPair, new_keypair
from dev.chain.transactions import Action, ChainError, call, pack_list
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, make_records
from tests.ledger.contract.test_authority import IRRELEVANT_AUTHORITY, MISSING_AUTHORITY, UNSATISFIED_AUTHORITY
from tests.ledger.contract.test_record import refused

SECOND_CONTRACT = Path(__file__).parent / "second"  # of 2026-11: without checkpoints


def root_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def packed(size: int, root: str = "", upto: int = 2, late: Sequence[int] = ()) -> bytes:
    """The action's data."""
    numbers = size.to_bytes(8, "little") + root_of(root or str(size)) + upto.to_bytes(4, "little")
    return numbers + pack_list(ledger_id.to_bytes(8, "little") for ledger_id in late)


def checkpoint(ledger: LedgerAccount, data: bytes) -> dict[str, Any]:
    return ledger.push(ledger.action("checkpoint", data, "record"), ledger.record_key)


def log(ledger: LedgerAccount) -> list[dict[str, Any]]:
    body = {"code": ledger.name, "scope": ledger.name, "table": "log", "json": True}
    rows: list[dict[str, Any]] = call(ledger.url, "chain/get_table_rows", body)["rows"]
    return [{**row, "size": int(row["size"])} for row in rows]  # a node writes large numbers as text


def test_the_row_is_what_the_last_action_said(ledger: LedgerAccount) -> None:
    assert log(ledger) == []
    first = checkpoint(ledger, packed(3, "three", upto=2))
    assert log(ledger) == [{"size": 3, "root": root_of("three").hex(), "upto": 2, "block": first["block_num"]}]
    second = checkpoint(ledger, packed(2**63, "many", upto=2, late=[2**64 - 1, 7]))
    assert log(ledger) == [{"size": 2**63, "root": root_of("many").hex(), "upto": 2, "block": second["block_num"]}]


def test_recording_and_checkpoints_do_not_touch_each_other(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 2))
    checkpoint(ledger, packed(2))
    ledger.record(Rec(3, "three"))
    checkpoint(ledger, packed(3))
    ledger.prune(1, 10)
    assert ledger.state() == {"floor": 1, "count": 2, "last": 3}
    assert log(ledger)[0]["size"] == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packed(5, "another"), "evledger: size not above the last one"),
        (packed(4), "evledger: size not above the last one"),
        (packed(0), "evledger: size not above the last one"),
        (packed(6, upto=2), "evledger: upto below the last one"),
        (packed(6, upto=2**32 - 1), "evledger: upto not below this block"),
        (packed(6, upto=3) + b"\0", "evledger: trailing bytes"),
        (packed(6, upto=3)[:-2], "evledger: truncated data"),
        (packed(6, upto=3)[:-1] + b"\1", "evledger: truncated data"),
        (packed(6, upto=3)[:-1] + b"\x80\0", "evledger: bad varuint"),
        (b"", "evledger: truncated data"),
    ],
)
def test_what_is_refused_changes_nothing(ledger: LedgerAccount, data: bytes, message: str) -> None:
    checkpoint(ledger, packed(5, upto=3))
    before = log(ledger)
    with refused(message):
        checkpoint(ledger, data)
    assert log(ledger) == before


def test_an_empty_log_has_no_checkpoint(ledger: LedgerAccount) -> None:
    with refused("evledger: size not above the last one"):
        checkpoint(ledger, packed(0))
    assert log(ledger) == []


def test_nobody_else_makes_one(ledger: LedgerAccount, stranger: tuple[str, KeyPair]) -> None:
    name, key = stranger
    attempts = [
        (Action(ledger.name, "checkpoint", packed(1), f"{name}@active"), key, MISSING_AUTHORITY),
        (ledger.action("checkpoint", packed(1), "record"), new_keypair("R1"), UNSATISFIED_AUTHORITY),
        (ledger.action("checkpoint", packed(1), "prune"), ledger.prune_key, IRRELEVANT_AUTHORITY),
    ]
    for action, signer, code in attempts:
        with pytest.raises(ChainError) as caught:
            ledger.push(action, signer)
        assert caught.value.code == code
    assert log(ledger) == []


def test_an_older_account_gets_it_by_an_upgrade(empty: LedgerAccount) -> None:
    empty.bootstrap(SECOND_CONTRACT)
    empty.record(*make_records(1, 2))
    with refused("evledger: unknown action"):
        checkpoint(empty, packed(2))
    empty.bootstrap()
    checkpoint(empty, packed(2))
    assert log(empty)[0]["size"] == 2
    assert empty.ids() == [1, 2]
