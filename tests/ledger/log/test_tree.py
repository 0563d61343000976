"""Trees against the definitions of RFC 6962, written down a second time, and against the witness' own."""

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256

import pytest

from ledger.log.tree import (
    EMPTY_ROOT,
    ProofError,
    check_consistency,
    consistency_proof,
    inclusion_proof,
    leaf,
    leaf_hash,
    root_from_inclusion,
    root_of,
    tree_root,
)
from witness import trees as theirs
from witness.errors import Contradiction

MOST = 70
HASHES = [leaf_hash(leaf(number, sha256(bytes([number])).digest())) for number in range(MOST)]
# of the test data that Certificate Transparency's implementations share
LEAVES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
LEAVES.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def split(count: int) -> int:
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def mth(hashes: Sequence[bytes]) -> bytes:
    """MTH of 2.1."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256().digest()
    half = split(len(hashes))
    return sha256(b"\1" + mth(hashes[:half]) + mth(hashes[half:])).digest()


def path(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH of 2.1.1."""
    if len(hashes) == 1:
        return []
    half = split(len(hashes))
    if index < half:
        return [*path(index, hashes[:half]), mth(hashes[half:])]
    return [*path(index - half, hashes[half:]), mth(hashes[:half])]


def subproof(old: int, hashes: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of 2.1.2."""
    if old == len(hashes):
        return [] if whole else [mth(hashes)]
    half = split(len(hashes))
    if old <= half:
        return [*subproof(old, hashes[:half], whole), mth(hashes[half:])]
    return [*subproof(old - half, hashes[half:], False), mth(hashes[:half])]


def read(level: int, index: int) -> bytes:
    begin, end = index << level, index + 1 << level
    assert end <= MOST, "no subtree that is not complete is asked for"
    return mth(HASHES[begin:end])


def test_roots() -> None:
    assert root_of([]) == tree_root(0, read) == EMPTY_ROOT
    for size, root in ROOTS.items():
        assert root_of([leaf_hash(one) for one in LEAVES[:size]]).hex() == root
    tree = theirs.Tree()
    for size in range(1, MOST + 1):
        tree.append([leaf(size - 1, sha256(bytes([size - 1])).digest())])
        assert root_of(HASHES[:size]) == tree_root(size, read) == mth(HASHES[:size]) == tree.root


def test_every_leaf_is_in_every_tree() -> None:
    for size in range(1, MOST + 1):
        root = mth(HASHES[:size])
        for index in range(size):
            proof = inclusion_proof(index, size, read)
            assert proof == path(index, HASHES[:size])
            assert root_from_inclusion(index, size, HASHES[index], proof) == root


def test_every_tree_begins_with_every_smaller_one() -> None:
    for new in range(MOST + 1):
        for old in range(new + 1):
            proof = consistency_proof(old, new, read)
            assert proof == ([] if old == 0 else subproof(old, HASHES[:new], True))
            roots = mth(HASHES[:old]), mth(HASHES[:new])
            check_consistency(old, roots[0], new, roots[1], proof)
            theirs.check_consistency(old, roots[0], new, roots[1], proof)


def changed(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """One hash altered, missing, doubled, one too many, each in its turn."""
    found = [[*hashes, bytes(32)]]
    for i, one in enumerate(hashes):
        flipped = bytes([one[0] ^ 1, *one[1:]])
        found += [[*hashes[:i], flipped, *hashes[i + 1 :]], [*hashes[:i], *hashes[i + 1 :]]]
        found.append([*hashes[:i], one, *hashes[i:]])
    return found


def test_what_was_altered_does_not_hold() -> None:
    for size in (1, 2, 3, 7, 8, 13, 64, 70):
        for index in {0, size // 2, size - 1}:
            proof, root = inclusion_proof(index, size, read), mth(HASHES[:size])
            for other in changed(proof):
                with suppress(ProofError):  # it has another length
                    assert root_from_inclusion(index, size, HASHES[index], other) != root
            with pytest.raises(ProofError):
                root_from_inclusion(size, size, HASHES[0], proof)
        for old in {0, 1, size // 2, size}:
            proof, roots = consistency_proof(old, size, read), (mth(HASHES[:old]), mth(HASHES[:size]))
            wrong = [(old, roots[0], other, roots[1]) for other in changed(proof)]
            wrong += [(old, bytes(32), proof, roots[1]), *([(old, roots[0], proof, bytes(32))] if old else [])]
            for number, old_root, other, new_root in wrong:
                with pytest.raises(ProofError):
                    check_consistency(number, old_root, size, new_root, other)
                with pytest.raises((Contradiction, ValueError)):
                    theirs.check_consistency(number, old_root, size, new_root, other)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ProofError):
        consistency_proof(3, 2, read)
    with pytest.raises(ProofError):
        check_consistency(3, HASHES[0], 2, HASHES[0], [])
    with pytest.raises(ProofError):
        check_consistency(1, HASHES[0][:31], 2, HASHES[0], [HASHES[1]])
    with pytest.raises(ProofError):
        leaf(1, b"short")
