"""PURE: where the tree's pieces are served (C2SP tlog-tiles), and what stands in them.

A tile of level L has up to 256 hashes of subtrees of 256**L leaves; a bundle the entries of up to 256 leaves, each
after its length in two bytes. What is not full has its width in its path.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH = 256
ENTRIES = "entries"
LEVEL_MAX = 63
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


class TileError(ValueError):
    """No such tile, or its bytes have another form."""


@dataclass(frozen=True, slots=True)
class Tile:
    """`level` None: a bundle of entries."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Below the log's prefix, such as tile/0/x001/234.p/5."""
        digits = f"{self.index:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{ENTRIES if self.level is None else self.level}/{number}{partial}"

    @classmethod
    def at(cls, path: str) -> "Tile":
        """Read a path in its one spelling; raises TileError."""
        found = _PATH.fullmatch(path)
        if found is None:
            raise TileError(f"path: expected that of a tile, got {path[:100]!r}")
        level, number, width = found.groups()
        tile = cls(
            None if level == ENTRIES else int(level),
            int(number.replace("x", "").replace("/", "")),
            WIDTH if width is None else int(width),
        )
        if tile.path != path or (tile.level or 0) > LEVEL_MAX or (width is not None and tile.width >= WIDTH):
            raise TileError(f"path: expected the shortest spelling, got {path[:100]!r}")
        return tile

    @property
    def span(self) -> int:
        """How many leaves one of its hashes, or entries, stands for."""
        return int(WIDTH ** (self.level or 0))

    def is_in(self, size: int) -> bool:
        """Whether all of it is in the tree of so many leaves."""
        return (self.index * WIDTH + self.width) * self.span <= size


def tiles_of(size: int) -> Iterator[Tile]:
    """All tiles and bundles of a tree of so many leaves, the widest of each place only."""
    levels: list[int | None] = [None, *range(max(1, (size.bit_length() + 7) // 8))]
    for level in levels:
        full, rest = divmod(size // WIDTH ** (level or 0), WIDTH)
        yield from (Tile(level, index) for index in range(full))
        if rest:
            yield Tile(level, full, rest)


def bundle(leaves: Sequence[bytes]) -> bytes:
    """The bytes of a bundle."""
    return b"".join(struct.pack(">H", len(one)) + one for one in leaves)


def entries_in(data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle; raises TileError where there are not `width` of them, or bytes are left."""
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        at += 2
        found.append(data[at : at + length])
        at += length
    if at != len(data) or len(found) != width:
        raise TileError(f"bundle: expected {width} entries, got {len(found)} in {len(data)} bytes")
    return found


def hashes_in(data: bytes, width: int) -> list[bytes]:
    """The hashes of a tile; raises TileError."""
    if len(data) != 32 * width:
        raise TileError(f"tile: expected {32 * width} bytes, got {len(data)}")
    return [data[i : i + 32] for i in range(0, len(data), 32)]
