"""Proofs over the log as the database holds it: that a leaf is in a tree, and that a tree goes on from an older one."""

from ledger.log.tree import (
    HASH_SIZE,
    LEAF_SIZE,
    ReadHashes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    tree_root,
)
from ledger.models import LogTile

WIDTH = LogTile.WIDTH
LEVELS = 8  # of the tree in one of a tile: 2^8 = WIDTH


def reader() -> ReadHashes:
    """Reads nodes from the tiles: (level, index) -> the hash over 2^level leaves. Each tile is read once."""
    tiles: dict[tuple[int, int], list[bytes]] = {}

    def read(level: int, index: int) -> bytes:
        above, within = divmod(level, LEVELS)
        tile, place = divmod(index << within, WIDTH)
        if (above, tile) not in tiles:
            tiles[above, tile] = _hashes(above, tile)
        nodes = tiles[above, tile][place : place + (1 << within)]
        if len(nodes) != 1 << within:
            raise LookupError(f"log tile {above}/{tile}: expected {place + (1 << within)} nodes")
        return root_of(nodes)

    return read


def _hashes(level: int, index: int) -> list[bytes]:
    data = bytes(LogTile.objects.values_list("data", flat=True).get(level=level, index=index))
    if level:
        return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]
    return [leaf_hash(data[at : at + LEAF_SIZE]) for at in range(0, len(data), LEAF_SIZE)]


def inclusion(index: int, size: int) -> list[bytes]:
    """That the leaf at this index is in the tree of this size."""
    return inclusion_proof(index, size, reader())


def consistency(old: int, new: int) -> list[bytes]:
    """That the tree of size `new` goes on from that of size `old`; empty where there is nothing to prove."""
    return consistency_proof(old, new, reader()) if 0 < old < new else []


def root_at(size: int) -> bytes:
    """The root that the log had at this size."""
    return tree_root(size, reader())
