"""PURE: what is needed of a tree to let it grow, however large it is: the hashes of its complete subtrees."""

from collections.abc import Sequence

from ledger.log.tree import node_hash, root_of


class Frontier:
    """A tree of `size` leaves; `parts` are its complete subtrees, the largest first, one for each bit of the size."""

    def __init__(self, size: int = 0, parts: Sequence[bytes] = ()) -> None:
        if len(parts) != size.bit_count() or any(len(part) != 32 for part in parts):
            raise ValueError(f"a tree of {size} leaves: expected {size.bit_count()} hashes of 32 bytes")
        self.size, self.parts = size, list(parts)

    def copy(self) -> "Frontier":
        return Frontier(self.size, self.parts)

    def add(self, leaf: bytes) -> None:
        """Take one more leaf, by its hash."""
        node, size = leaf, self.size
        while size & 1:
            node, size = node_hash(self.parts.pop(), node), size >> 1
        self.parts.append(node)
        self.size += 1

    def root(self) -> bytes:
        """The root as it is now."""
        if not self.parts:
            return root_of([])
        *larger, root = self.parts
        for part in reversed(larger):
            root = node_hash(part, root)
        return root
