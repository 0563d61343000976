"""The browser's verifier on all vectors (tests/vectors), and on the blocks of a Savanna chain."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser_check import check_page, run
from tests.browsers import evaluated
from tests.ledger.chain.test_savanna import BLOCKS as SPRING
from tests.vectors.loading import vectors

BLOCKS = """async (text) => {
  const { parse } = await import("/js/verify/json.js");
  const { blockId, transactionRoot } = await import("/js/verify/block.js");
  return Promise.all(parse(text).map(async (block) => [await blockId(block), await transactionRoot(block)]));
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with check_page() as page:
        yield page


def test_every_vector_comes_out_right(page: Page) -> None:
    """Verdict, each step and each notice; the reader is shown each step once, in its order."""
    wrong = []
    for vector, said in zip(vectors(), run(page, vectors()), strict=True):
        found = {"verdict": said.verdict, "steps": said.outcomes, "notices": said.notices}
        if found != vector.right or said.shown != list(range(1, 13)):
            wrong.append((vector.name, vector.why, vector.right, found))
    assert not wrong, f"{len(wrong)} of {len(vectors())}: {json.dumps(wrong[:3], indent=1)}"


@pytest.mark.skipif(not SPRING.exists(), reason=f"no blocks of a Savanna chain at {SPRING}")
def test_blocks_of_a_savanna_chain(page: Page) -> None:
    text = SPRING.read_text()
    blocks = json.loads(text)
    found = evaluated(page, BLOCKS, text)
    assert [root for _, root in found] == [block["transaction_mroot"] for block in blocks]
    assert [number for number, _ in found[:-1]] == [block["previous"] for block in blocks[1:]]
