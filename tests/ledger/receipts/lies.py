"""What a node may lie about: how the answer is altered, and which step of the check finds it out."""

from collections.abc import Callable
from typing import Any

from tests.ledger.receipts.receipt_chain import Json


def _transaction(block: Json) -> Json:
    """The longest transaction of a raw block: ours."""
    found: Json = max((entry for entry in block["transactions"]), key=lambda entry: len(entry["trx"][1]["packed_trx"]))
    return found


def _flip(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def altering(path: Callable[[Json], Json], name: str, change: Callable[[Any], Any] = _flip) -> Callable[[Json], None]:
    def alter(content: Json) -> None:
        place = path(content)
        place[name] = change(place[name])

    return alter


def whole(block: Json) -> Json:
    return block


def _trx(block: Json) -> Json:
    found: Json = _transaction(block)["trx"][1]
    return found


def row_of(content: Json) -> Json:
    """Of the table `records`; of others one that nobody reads."""
    found: Json = content["rows"][0] if content["rows"] else {}
    return found if "digest" in found else {"id": 0, "digest": "0"}


LIES = {
    "chain id": ("get_info", altering(whole, "chain_id"), 2),
    "last irreversible block": ("get_info", altering(whole, "last_irreversible_block_num", lambda _: 1), 3),
    "timestamp": ("get_raw_block", altering(whole, "timestamp", lambda _: "2026-01-01T00:00:00.500"), 4),
    "producer": ("get_raw_block", altering(whole, "producer", lambda _: "eosia"), 4),
    "confirmed": ("get_raw_block", altering(whole, "confirmed", lambda number: number + 1), 4),
    "previous": ("get_raw_block", altering(whole, "previous"), 4),
    "root": ("get_raw_block", altering(whole, "transaction_mroot"), 4),
    "actions' root": ("get_raw_block", altering(whole, "action_mroot"), 4),
    "schedule": ("get_raw_block", altering(whole, "schedule_version", lambda number: number + 1), 4),
    "extension": ("get_raw_block", altering(whole, "header_extensions", lambda _: [[0, "00"]]), 4),
    "status": ("get_raw_block", altering(_transaction, "status", lambda _: "hard_fail"), 5),
    "cpu": ("get_raw_block", altering(_transaction, "cpu_usage_us", lambda number: number + 1), 5),
    "net": ("get_raw_block", altering(_transaction, "net_usage_words", lambda number: number + 1), 5),
    "packed": ("get_raw_block", altering(_trx, "packed_trx"), 5),
    "compression": ("get_raw_block", altering(_trx, "compression", lambda _: "zlib"), 5),
    "free data": ("get_raw_block", altering(_trx, "packed_context_free_data", lambda _: "00"), 5),
    "signatures": ("get_raw_block", altering(_trx, "signatures", lambda _: []), 5),
    "left out": ("get_raw_block", lambda block: block["transactions"].remove(_transaction(block)), 5),
    "row's digest": ("get_table_rows", altering(row_of, "digest"), 10),
    "row's id": ("get_table_rows", altering(row_of, "id", lambda number: number + 1), 10),
    "row hidden": ("get_table_rows", altering(whole, "rows", lambda _: []), 10),
}
