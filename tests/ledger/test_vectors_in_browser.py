"""The browser's verifier on all vectors (tests/vectors), and on the blocks of a Savanna chain."""

import json
from collections.abc import Iterator

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from playwright.sync_api import Page

from ledger.chain.antelope import sha256
from tests.browser_check import check_page, run
from tests.browsers import evaluated
from tests.ledger.chain.test_savanna import BLOCKS as SPRING
from tests.vectors.loading import vectors
from tests.vectors.log_world import inclusion, root

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
        notices = {name: said.notices[name] for name in vector.right["notices"]}
        found = {"verdict": said.verdict, "steps": said.outcomes, "notices": notices}
        if found != vector.right or said.shown != list(range(1, len(said.outcomes) + 1)):
            wrong.append((vector.name, vector.why, vector.right, found))
    assert not wrong, f"{len(wrong)} of {len(vectors())}: {json.dumps(wrong[:3], indent=1)}"


@pytest.mark.skipif(not SPRING.exists(), reason=f"no blocks of a Savanna chain at {SPRING}")
def test_blocks_of_a_savanna_chain(page: Page) -> None:
    text = SPRING.read_text()
    blocks = json.loads(text)
    found = evaluated(page, BLOCKS, text)
    assert [root for _, root in found] == [block["transaction_mroot"] for block in blocks]
    assert [number for number, _ in found[:-1]] == [block["previous"] for block in blocks[1:]]


TREES = """async (cases) => {
  const { rootFromInclusion } = await import("/js/verify/tree.js");
  const { bytesOf, hexOf } = await import("/js/verify/encoding.js");
  return Promise.all(cases.map(([index, size, leaf, proof]) =>
    rootFromInclusion(BigInt(index), BigInt(size), bytesOf(leaf), proof.map(bytesOf)).then(hexOf, () => "refused")));
}"""


def test_proofs_of_inclusion_in_every_tree(page: Page) -> None:
    """Each leaf of each tree with up to 20; with a hash more, one less, and of a leaf beyond the tree."""
    cases: list[tuple[int, int, str, list[str]]] = []
    right = []
    for size in range(1, 21):
        leaves = [sha256(bytes([number])) for number in range(size)]
        for index in range(size):
            proof = [one.hex() for one in inclusion(index, leaves)]
            cases += [
                (index, size, leaves[index].hex(), changed)
                for changed in (proof, [*proof, proof[0] if proof else "00" * 32])
            ]
            right += [root(leaves).hex(), "refused"]
            if proof:
                cases.append((index, size, leaves[index].hex(), proof[:-1]))
                right.append("refused")
        cases.append((size, size, leaves[0].hex(), []))
        right.append("refused")
    assert evaluated(page, TREES, cases) == right


ED25519 = """async (cases) => {
  const { byHand, isSigned } = await import("/js/verify/ed25519.js");
  const { bytesOf } = await import("/js/verify/encoding.js");
  return Promise.all(cases.map(async (texts) => {
    const [key, signature, message] = texts.map(bytesOf);
    return [await byHand(key, signature, message), await isSigned(key, signature, message)];
  }));
}"""
ORDER = 2**252 + 27742317777372353535851937790883648493


def test_signatures_of_witnesses_by_hand_and_by_the_browser(page: Page) -> None:
    """This file's arithmetic against the browser's and Python's: right ones, each bit of one, and a second spelling."""
    cases = []
    for number in range(12):
        private = Ed25519PrivateKey.from_private_bytes(sha256(bytes([number])))
        key, message = private.public_key().public_bytes_raw(), bytes(range(number * 20))
        signature = private.sign(message)
        larger = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
        cases += [(key, signature, message), (key, signature[:32] + larger, message), (key, signature, message + b"x")]
    key, signature, message = cases[0]
    for bit in range(512):
        changed = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")
        cases.append((key, changed, message))
    cases.append((bytes([2]) + bytes(31), signature, message))  # no point
    found = evaluated(page, ED25519, [[part.hex() for part in case] for case in cases])
    assert found == [[python_says(*case)] * 2 for case in cases]
    assert sum(one for one, _ in found) == 12


def python_says(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
