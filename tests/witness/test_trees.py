"""Roots and consistency proofs, against the definition of RFC 6962."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.witness.a_log import consistency, entry, root_of
from witness.errors import Contradiction
from witness.trees import EMPTY_ROOT, Tree, check_consistency

SIZES = 40
LEAVES = [entry(number) for number in range(SIZES)]
ROOTS = [root_of(LEAVES[:size]) for size in range(SIZES + 1)]


def test_a_tree_that_grows_has_the_roots_of_the_definition() -> None:
    tree = Tree()
    assert tree.root == ROOTS[0] == EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, 1):
        tree.append([leaf])
        assert tree.root == ROOTS[size]
        assert Tree(tree.size, tree.peaks).root == tree.root


def test_a_tree_has_as_many_peaks_as_its_size_has_ones() -> None:
    with pytest.raises(ValueError, match="2 full subtrees"):
        Tree(5, [bytes(32)])


def test_every_true_proof_holds() -> None:
    for new in range(SIZES + 1):
        for old in range(new + 1):
            check_consistency(old, ROOTS[old], new, ROOTS[new], consistency(old, LEAVES[:new]))


def test_no_proof_holds_for_another_root_size_or_with_another_hash() -> None:
    for new in range(1, SIZES + 1):
        for old in range(1, new):
            proof = consistency(old, LEAVES[:new])
            damaged = [
                (old, bytes(32), new, ROOTS[new], proof),
                (old, ROOTS[old], new, bytes(32), proof),
                (old, ROOTS[old], new, ROOTS[new], proof[:-1]),
                (old, ROOTS[old], new, ROOTS[new], proof[1:]),
                (old, ROOTS[old], new, ROOTS[new], [*proof, bytes(32)]),
                (old, ROOTS[old], new, ROOTS[new], [bytes(32), *proof[1:]]),
                (old - 1, ROOTS[old], new, ROOTS[new], proof),
                (new, ROOTS[new], old, ROOTS[old], proof),
            ]
            for each in damaged:
                with pytest.raises(Contradiction):
                    check_consistency(*each)


def test_from_nothing_and_to_the_same_there_is_no_proof() -> None:
    for old, new in ((0, 5), (5, 5)):
        with pytest.raises(Contradiction, match="expected none"):
            check_consistency(old, ROOTS[old], new, ROOTS[new], [bytes(32)])
    with pytest.raises(Contradiction, match="two roots"):
        check_consistency(5, ROOTS[5], 5, ROOTS[4], [])
    with pytest.raises(Contradiction, match="two roots"):
        check_consistency(0, ROOTS[0], 0, bytes(32), [])
    with pytest.raises(Contradiction, match="without leaves"):
        check_consistency(0, bytes(32), 5, ROOTS[5], [])


@given(st.integers(1, 200), st.integers(1, 200), st.lists(st.binary(min_size=32, max_size=32), max_size=12))
def test_made_up_proofs_do_not_hold(old: int, more: int, proof: list[bytes]) -> None:
    with pytest.raises(Contradiction):
        check_consistency(old, bytes(32), old + more, b"\1" * 32, proof)
