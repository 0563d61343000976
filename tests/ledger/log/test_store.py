"""Appending to tiles: whatever the batches were, tiles and root are those of all leaves at once."""

import hashlib

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LogDiffers
from ledger.log import store
from ledger.log.tree import leaf, leaf_hash, root_of
from ledger.models import LogTile

LEAVES = [leaf(number, hashlib.sha256(str(number).encode()).digest()) for number in range(1, 70_001)]


def rightmost(tiles: dict[tuple[int, int], bytes], size: int) -> list[bytes]:
    """As the database would tell them."""
    found, level = [], 0
    while size >> 8 * level:
        index, width = divmod(size >> 8 * level, 256)
        found.append(tiles[level, index] if width else b"")
        level += 1
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_793, 70_000])
def test_the_root_is_that_of_all_leaves(size: int) -> None:
    growth = store.grown(0, LEAVES[:size], [])
    assert (growth.size, growth.root) == (size, root_of(list(map(leaf_hash, LEAVES[:size]))))
    assert b"".join(growth.tiles[0, at] for at in range((size + 255) // 256)) == b"".join(LEAVES[:size])


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_batches_leave_no_trace(batches: list[int]) -> None:
    tiles: dict[tuple[int, int], bytes] = {}
    size = 0
    for count in batches:
        growth = store.grown(size, LEAVES[size : size + count], rightmost(tiles, size))
        for key, data in growth.tiles.items():
            assert data.startswith(tiles.get(key, b"")), "append only"
        tiles |= growth.tiles
        size = growth.size
    assert growth.root == root_of(list(map(leaf_hash, LEAVES[:size])))
    assert tiles == store.grown(0, LEAVES[:size], []).tiles


def test_the_batch_that_completes_a_tile_of_tiles() -> None:
    tiles = store.grown(0, LEAVES[:65_530], []).tiles
    growth = store.grown(65_530, LEAVES[65_530:65_540], rightmost(tiles, 65_530))
    assert set(growth.tiles) == {(0, 255), (0, 256), (1, 0), (2, 0)}
    assert growth.root == root_of(list(map(leaf_hash, LEAVES[:65_540])))


@pytest.mark.django_db
def test_rows_grow_and_what_was_altered_is_not_built_upon() -> None:
    size = 0
    for count in (3, 250, 10, 600):
        growth = store.append(size, LEAVES[size : size + count])
        size = growth.size
    found = {(tile.level, tile.index): bytes(tile.data) for tile in LogTile.objects.all()}
    assert found == store.grown(0, LEAVES[:size], []).tiles
    assert LogTile.objects.get(level=1).width == 3 and not LogTile.objects.get(level=1).is_complete
    assert connection.vendor
    LogTile.objects.filter(level=0, index=3).update(data=b"")
    with pytest.raises(LogDiffers, match="tile 0/3"):
        store.append(size, LEAVES[:1])
