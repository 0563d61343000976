"""What a monitor keeps of a tree and of the ids in it."""

import pytest

from ledger.log import tree
from ledger.log.monitor.frontier import Frontier
from ledger.log.monitor.ids import Ids
from tests.ledger.log.operator import leaves, root_of


@pytest.mark.parametrize("size", [*range(20), 255, 256, 257, 1000])
def test_a_frontier_is_the_tree(size: int) -> None:
    found = Frontier()
    for entry in leaves(size):
        found.add(tree.leaf_hash(entry))
    assert found.root() == root_of(leaves(size)) and found.size == size
    assert Frontier(size, found.parts).root() == found.root()
    with pytest.raises(ValueError, match="hashes"):
        Frontier(size + 1 if size & 1 == 0 else size - 1, found.parts)


def test_ids_are_a_set() -> None:
    ids, same = Ids(), set[int]()
    for number in [5, 3, 4, 4, 9, 1, 2, 100, 99, 101, 7, 8, 6, 5, 2**63]:
        assert ids.add(number) == (number not in same)
        same.add(number)
        assert all((each in ids) == (each in same) for each in range(110))
        assert Ids(ids.runs).runs == ids.runs
    assert ids.runs == [[1, 9], [99, 101], [2**63, 2**63]]
    assert ids.above(0) == len(same) and ids.above(7) == 6 and ids.above(100) == 2
    assert ids.gaps(0) == [(10, 98), (102, 2**63 - 1), (2**63 + 1, None)]
    assert ids.gaps(5)[0] == (10, 98) and ids.gaps(50)[0] == (51, 98) and Ids().gaps(0) == [(1, None)]
    for runs in ([[2, 1]], [[1, 2], [3, 4]], [[5, 6], [1, 2]]):
        with pytest.raises(ValueError, match="runs"):
            Ids(runs)
