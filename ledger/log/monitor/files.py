"""A log's public files over HTTP (C2SP tlog-tiles): its checkpoint, its entries, its tree."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from common.outgoing.asking import Asker, NoAnswer, Patience
from ledger.log.tiles import WIDTH, Tile, TileError, entries_in, hashes_in
from ledger.log.tree import HASH_SIZE, LEAF_SIZE, ReadHashes, root_of

PATIENCE = Patience(connect_s=5.0, read_s=15.0, whole_s=30.0)
NOTE_BYTES_MAX = 64 * 1024
LENGTH_SIZE = 2  # before each entry of a bundle
LEVELS = 8  # of the tree in one of the tiles
AT_ONCE = 4  # bundles
STRETCH = 64  # bundles that are in memory before they are taken


class LogAway(Exception):
    """No answer, or one that says nothing of the log."""


class LogFilesWrong(Exception):
    """A file that has to be there is not, or has another form."""


class LogFiles:
    """The files below one address; threads may share it."""

    def __init__(self, url: str, asker: Asker) -> None:
        self.url, self._asker = url.rstrip("/"), asker

    def checkpoint(self) -> bytes:
        """The newest signed note, as it is served."""
        found = self._get("checkpoint", NOTE_BYTES_MAX)
        if found is None:
            raise LogAway(f"{self.url}/checkpoint: HTTP 404")
        return found

    def leaves(self, first: int, end: int, progress: Callable[[int], object] | None = None) -> Iterator[bytes]:
        """The entries first..end-1 of a log that has at least `end`."""
        bundles = range(first // WIDTH, (end + WIDTH - 1) // WIDTH)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for start in range(bundles.start, bundles.stop, STRETCH):
                stretch = range(start, min(start + STRETCH, bundles.stop))
                for number, leaves in zip(
                    stretch, pool.map(lambda number: self._bundle(number, end), stretch), strict=True
                ):
                    wanted = leaves[max(first - number * WIDTH, 0) :]
                    yield from wanted
                    if progress:
                        progress(len(wanted))

    def hashes(self, size: int) -> ReadHashes:
        """Reads nodes of the tree of this size from its tiles: (level, index) -> the hash over 2^level leaves."""
        tiles: dict[tuple[int, int], list[bytes]] = {}

        def read(level: int, index: int) -> bytes:
            above, within = divmod(level, LEVELS)
            tile, place = divmod(index << within, WIDTH)
            if (above, tile) not in tiles:
                tiles[above, tile] = self._tile(above, tile, size)
            nodes = tiles[above, tile][place : place + (1 << within)]
            if len(nodes) != 1 << within:
                raise LogFilesWrong(f"tile {above}/{tile} of a log of {size} entries is too short")
            return root_of(nodes)

        return read

    def _bundle(self, number: int, size: int) -> list[bytes]:
        width = min(WIDTH, size - number * WIDTH)
        try:
            found = entries_in(self._cut(Tile(None, number, width), LENGTH_SIZE + LEAF_SIZE), width)
        except TileError as error:
            raise LogFilesWrong(str(error)) from error
        if any(len(entry) != LEAF_SIZE for entry in found):
            raise LogFilesWrong(f"entries {number}: expected entries of {LEAF_SIZE} bytes")
        return found

    def _tile(self, level: int, index: int, size: int) -> list[bytes]:
        width = min(WIDTH, (size >> LEVELS * level) - index * WIDTH)
        return hashes_in(self._cut(Tile(level, index, width), HASH_SIZE), width)

    def _cut(self, tile: Tile, each: int) -> bytes:
        """Its bytes, `each` for a node; a partial one may have become whole and be gone."""
        found = self._get(tile.path, tile.width * each)
        if found is None and tile.width < WIDTH:
            whole = self._get(Tile(tile.level, tile.index).path, WIDTH * each)
            found = whole and whole[: tile.width * each]
        if found is None:
            raise LogFilesWrong(f"{tile.path}: not there, although the log is signed with it")
        if len(found) != tile.width * each:
            raise LogFilesWrong(f"{tile.path}: expected {tile.width * each} bytes, got {len(found)}")
        return found

    def _get(self, path: str, most: int) -> bytes | None:
        """None where it is not there; raises LogAway."""
        url = f"{self.url}/{path}"
        try:
            answer = self._asker.ask("GET", url, patience=PATIENCE, most=most)
        except NoAnswer as error:
            raise LogAway(f"{url}: {error}") from error
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise LogAway(f"{url}: HTTP {answer.status}")
        return answer.content
