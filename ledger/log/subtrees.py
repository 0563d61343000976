"""PURE: roots out of the complete subtrees that tiles hold."""

from ledger.log.tree import ReadHashes, node_hash, root_of


def root_at(size: int, read: ReadHashes) -> bytes:
    """The root that the tree had at this size."""
    parts, done = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            parts.append(read(level, done >> level))
            done += 1 << level
    if not parts:
        return root_of([])
    root = parts.pop()
    while parts:
        root = node_hash(parts.pop(), root)
    return root
