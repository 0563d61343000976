"""PURE: the Merkle tree of RFC 6962, for a witness: roots as leaves come, and consistency of two roots."""

import hashlib
from collections.abc import Iterable, Sequence

from witness.errors import Contradiction

EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf (2.1)."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (2.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that only grows. Of what is in it nothing is kept but the roots of its full subtrees, largest first."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count() or not all(len(peak) == len(EMPTY_ROOT) for peak in peaks):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} full subtrees, got {len(peaks)}")
        self.size = size
        self.peaks = list(peaks)

    def copy(self) -> "Tree":
        """Another one with the same leaves."""
        return Tree(self.size, self.peaks)

    def append(self, leaves: Iterable[bytes]) -> None:
        """Take these leaves behind the last."""
        sha256, peaks, size = hashlib.sha256, self.peaks, self.size
        for leaf in leaves:
            found, lower = sha256(b"\0" + leaf).digest(), size
            while lower & 1:
                found = sha256(b"\1" + peaks.pop() + found).digest()
                lower >>= 1
            peaks.append(found)
            size += 1
        self.size = size

    @property
    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self.peaks:
            return EMPTY_ROOT
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node_hash(peak, found)
        return found


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise Contradiction unless the proof shows that the larger tree begins with the smaller one (2.1.2).

    The two roots are built up from the proof at the same time, as RFC 9162, 2.1.4.2 describes.
    """
    if not 0 <= old <= new:
        raise Contradiction(f"no tree of {new} leaves begins with {old}")
    if old in (0, new):
        if proof:
            raise Contradiction("consistency proof: expected none")
        if old == new and old_root != new_root:
            raise Contradiction(f"two roots for {old} leaves")
        if (new == 0 and new_root != EMPTY_ROOT) or (old == 0 and old_root != EMPTY_ROOT):
            raise Contradiction("expected the root of a tree without leaves")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    if not path:
        raise Contradiction("consistency proof: expected one")
    left = right = path[0]
    for each in path[1:]:
        if last == 0:
            raise Contradiction("consistency proof: too long")
        if first & 1 or first == last:
            left, right = node_hash(each, left), node_hash(each, right)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            right = node_hash(right, each)
        first, last = first >> 1, last >> 1
    if last:
        raise Contradiction("consistency proof: too short")
    if left != old_root or right != new_root:
        raise Contradiction(f"consistency proof: the tree of {new} leaves does not begin with that of {old}")
