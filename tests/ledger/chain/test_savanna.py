"""Blocks of a Savanna chain, where they lie beside the checkout: ids and transaction roots in portal and script.

Each block's id is the next one's `previous`, each root is the header's. tests/ledger/test_vectors_in_browser.py has the
same for the browser. SPRING_BLOCKS names the file where it lies elsewhere.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ledger.chain import block
from tests.ledger.receipts.receipt_chain import script

BESIDE = Path(__file__).parents[4] / "shared" / "data" / "spring" / "blocks.json"
BLOCKS = Path(os.environ.get("SPRING_BLOCKS", BESIDE))
pytestmark = pytest.mark.skipif(not BLOCKS.exists(), reason=f"no blocks of a Savanna chain at {BLOCKS}")


@pytest.fixture(scope="module")
def blocks() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(BLOCKS.read_text())
    assert {item["schedule_version"] for item in found} >= {1 << 31}
    return found


def test_each_id_is_the_next_block_s_previous(blocks: list[dict[str, Any]]) -> None:
    expected = [following["previous"] for following in blocks[1:]]
    assert [block.block_id(item).hex() for item in blocks[:-1]] == expected
    assert [script().block_id(item) for item in blocks[:-1]] == expected


def test_each_root_is_the_header_s(blocks: list[dict[str, Any]]) -> None:
    expected = [item["transaction_mroot"] for item in blocks]
    assert [block.transaction_root(item).hex() for item in blocks] == expected
    roots = []
    for item in blocks:
        leaves = [script().Entry(entry).leaf() for entry in item["transactions"]]
        roots.append(script().merkle(leaves, item["schedule_version"] == 1 << 31).hex())
    assert roots == expected
