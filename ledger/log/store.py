"""The log's tiles in the database: leaves are appended, nothing that stands there is changed.

Level 0 holds the leaves, level L the hashes of complete subtrees of 256^L leaves (ledger.models.LogTile). What is not
complete on the right belongs to no tile above; the root is made of it.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from common.database.inserting import columns_insert
from common.database.updating import columns_update
from ledger.errors import LogDiffers
from ledger.log.tree import leaf_hash, node_hash, root_of
from ledger.models import LogTile

WIDTH = LogTile.WIDTH
LEAF_BYTES, HASH_BYTES = 40, 32
SUBJECT = "log"  # of alerts


def item_bytes(level: int) -> int:
    """How long one of a tile's items is."""
    return HASH_BYTES if level else LEAF_BYTES


def items_of(data: bytes, level: int) -> list[bytes]:
    """A tile's leaves (level 0) or hashes."""
    size = item_bytes(level)
    return [data[at : at + size] for at in range(0, len(data), size)]


def hashes_of(data: bytes, level: int) -> list[bytes]:
    """What a tile says in the tree: its hashes, made of the leaves on level 0."""
    return list(map(leaf_hash, items_of(data, 0))) if level == 0 else items_of(data, level)


@dataclass
class Growth:
    """Tiles as they are once leaves were added: `tiles` by (level, index), `root` of them all."""

    size: int
    root: bytes
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)


def grown(old_size: int, leaves: Sequence[bytes], rightmost: Sequence[bytes]) -> Growth:
    """Add leaves to a log of `old_size`, of whose every level `rightmost` is the tile that is not complete (or b"").

    Nothing is read or written: what is made of the same is the same, everywhere.
    """
    size = old_size + len(leaves)
    tiles: dict[tuple[int, int], bytes] = {}
    partial: list[list[bytes]] = []  # of each level the hashes that no tile above has
    items, level = list(leaves), 0
    while items or old_size >> 8 * level or size >> 8 * level:
        begun = rightmost[level] if level < len(rightmost) else b""
        index, step = (old_size >> 8 * level) // WIDTH, WIDTH * item_bytes(level)
        data, complete = begun + b"".join(items), []
        rest: list[bytes] = hashes_of(begun, level) if not items else []
        for place, at in enumerate(range(0, len(data), step) if items else ()):
            tiles[level, index + place] = data[at : at + step]
            rest = hashes_of(data[at : at + step], level)
            if len(rest) == WIDTH:
                complete.append(root_of(rest))
                rest = []
        partial.append(rest)
        items, level = complete, level + 1
    return Growth(size, _root(partial), tiles)


def _root(partial: Sequence[Sequence[bytes]]) -> bytes:
    """Of complete subtrees, the smallest first: the first level's last ones, then the next level's."""
    root: bytes | None = None
    for hashes in partial:
        for peak in reversed(list(_peaks(hashes))):
            root = peak if root is None else node_hash(peak, root)
    return root_of([]) if root is None else root


def _peaks(hashes: Sequence[bytes]) -> Iterator[bytes]:
    """The roots of the complete subtrees that these hashes make, the largest first."""
    at = 0
    for bit in range(len(hashes).bit_length() - 1, -1, -1):
        if len(hashes) >> bit & 1:
            yield root_of(hashes[at : at + (1 << bit)])
            at += 1 << bit


def rightmost_of(size: int) -> list[bytes]:
    """The tiles that are not complete in a log of this size; raises LogDiffers where the database has other ones."""
    found: list[bytes] = []
    level = 0
    while size >> 8 * level:
        index, width = divmod(size >> 8 * level, WIDTH)
        row = LogTile.objects.filter(level=level, index=index).first() if width else None
        data = bytes(row.data) if row else b""
        if len(data) != width * item_bytes(level):
            text = f"tile {level}/{index}: expected {width} of 256, got {len(data) // item_bytes(level)}"
            raise LogDiffers(text, SUBJECT)
        found.append(data)
        level += 1
    return found


def append(old_size: int, leaves: Sequence[bytes]) -> Growth:
    """Add leaves to the tiles, in the caller's database transaction; raises LogDiffers."""
    growth = grown(old_size, leaves, rightmost_of(old_size))
    begun = {(tile.level, tile.index): tile.pk for tile in _rows_of(old_size)}
    old = {key: data for key, data in growth.tiles.items() if key in begun}
    new = {key: data for key, data in growth.tiles.items() if key not in begun}
    if old:
        columns_update(LogTile, [begun[key] for key in old], columns(old))
    if new:
        levels, indices = zip(*new, strict=True)
        columns_insert(LogTile, {"level": levels, "index": indices, **columns(new)})
    return growth


def columns(tiles: Mapping[tuple[int, int], bytes]) -> dict[str, Sequence[object]]:
    """Of rows, beside their places."""
    widths = [len(data) // item_bytes(level) for (level, _), data in tiles.items()]
    return {"width": widths, "data": list(tiles.values())}


def _rows_of(size: int) -> Iterator[LogTile]:
    """The rows of the tiles that are not complete."""
    level = 0
    while size >> 8 * level:
        index, width = divmod(size >> 8 * level, WIDTH)
        if width:
            yield from LogTile.objects.filter(level=level, index=index).only("pk", "level", "index")
        level += 1


def find(wanted: Container[bytes]) -> Iterator[tuple[int, bytes]]:
    """Which leaves these are, as far as they are any; reads all of them."""
    for tile in LogTile.objects.filter(level=0).order_by("index").iterator(chunk_size=100):
        for place, each in enumerate(items_of(bytes(tile.data), 0)):
            if each in wanted:
                yield tile.index * WIDTH + place, each
