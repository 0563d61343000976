"""The log's bytes as everybody reads them: tiles and bundles (C2SP tlog-tiles), as far as they are published."""

from collections.abc import Iterator

from ledger.log.tiles import WIDTH, Tile, bundle, tiles_of
from ledger.log.tree import HASH_SIZE, LEAF_SIZE, leaf_hash
from ledger.models import LogTile


def tile_bytes(tile: Tile, size: int) -> bytes | None:
    """What stands in a tile or bundle of the tree of this size; None where it has no such tile."""
    if not tile.is_in(size):
        return None
    row = LogTile.objects.filter(level=tile.level or 0, index=tile.index).values_list("data", flat=True).first()
    if row is None:
        return None
    items = _items(bytes(row), HASH_SIZE if tile.level else LEAF_SIZE)[: tile.width]
    return _served(tile.level, items) if len(items) == tile.width else None


def all_tiles(size: int) -> Iterator[tuple[Tile, bytes]]:
    """Every tile of the tree of this size with its bytes, level by level; each row is read once."""
    rows: tuple[int, int, list[bytes]] = (-1, -1, [])
    for tile in _by_row(size):
        level = tile.level or 0
        if rows[:2] != (level, tile.index):
            data = bytes(LogTile.objects.values_list("data", flat=True).get(level=level, index=tile.index))
            rows = level, tile.index, _items(data, HASH_SIZE if level else LEAF_SIZE)
        yield tile, _served(tile.level, rows[2][: tile.width])


def _by_row(size: int) -> Iterator[Tile]:
    """Bundle and hashes of the same leaves one after the other."""
    for tile in tiles_of(size):
        if tile.level is None:
            yield tile
            yield Tile(0, tile.index, tile.width)
        elif tile.level:
            yield tile


def how_many(size: int) -> int:
    """Of tiles and bundles."""
    found, width = 2 * -(-size // WIDTH), size // WIDTH
    while width:
        found += -(-width // WIDTH)
        width //= WIDTH
    return found


def _items(data: bytes, length: int) -> list[bytes]:
    return [data[at : at + length] for at in range(0, len(data), length)]


def _served(level: int | None, items: list[bytes]) -> bytes:
    if level is None:
        return bundle(items)
    return b"".join(items if level else map(leaf_hash, items))
