"""The entries of a log against the root that it signed, and against the records on the chain.

Entries are ledger id (uint64, big-endian) and digest, 40 bytes. They are read from where we were the last time, so a
record is read once. What is on the chain and not in the log may only be too new for it: it is remembered with the block
that was the newest when it was seen, and has to be in the log once the log says that it is complete up to that block.
"""

import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from witness.asking import Absent, Server
from witness.chain import Node, Row
from witness.errors import Contradiction
from witness.notes import Checkpoint
from witness.state import Content

BUNDLE = 256
ENTRY_BYTES = 40
_ENTRY = struct.Struct(">HQ32s")
CHUNK_BUNDLES = 256  # 65,536 entries are in memory at a time
READERS = 4
FAR = 64  # a record that is farther from the next one is asked for alone


@dataclass
class Waiting:
    """Records that were seen on the chain and not in the log: digest, and the newest block when they were seen."""

    digest: bytes
    block: int | None = None


class Reader:
    """Reads one log's entries; and follows the table of records, where there is a node."""

    def __init__(self, portal: str) -> None:
        self._servers = [Server(portal) for _ in range(READERS)]
        self._waiting: dict[int, Waiting] = {}

    def read(self, before: Content, checkpoint: Checkpoint, where: tuple[Node, Row] | None) -> Content:
        """Return what is read once all entries up to the checkpoint are; raises Contradiction or NotYet.

        With a node each entry is looked up there, and what the log leaves out is noticed.
        """
        tree, ids = before.tree.copy(), before.ids
        comparison = Comparison(where[0], self._waiting) if where else None
        with ThreadPoolExecutor(READERS) as pool:
            entries = self._entries(tree.size, checkpoint.size, pool)
            while chunk := list(islice(entries, CHUNK_BUNDLES * BUNDLE)):
                tree.append(struct.pack(">Q32s", *entry) for entry in chunk)
                ids_before, ids = ids, ids.plus(ledger_id for ledger_id, _ in chunk)
                if comparison:
                    comparison.compare(dict(chunk), ids_before.last or 0)
        if tree.root != checkpoint.root:
            raise Contradiction(
                f"the {checkpoint.size} entries make the root {tree.root.hex()}, the log signed {checkpoint.root.hex()}"
            )
        if comparison and where:
            comparison.end(ids.last or 0, ids.count_above, ids.pairs)
            self._waiting = comparison.waiting
            comparison.complete(where[1].upto)
        return Content(tree, ids)

    def _entries(self, first: int, end: int, pool: ThreadPoolExecutor) -> Iterator[tuple[int, bytes]]:
        """Ledger ids and digests of the entries first..end-1; a few bundles are asked for ahead."""
        numbers = iter(range(first // BUNDLE, -(-end // BUNDLE)))

        def ask(number: int) -> Callable[[], list[tuple[int, bytes]]]:
            server, width = self._servers[number % READERS], min(BUNDLE, end - number * BUNDLE)
            return pool.submit(bundle, server, number, width).result

        asked = [ask(number) for number in islice(numbers, READERS * 2)]
        skip = first % BUNDLE
        while asked:
            found = asked.pop(0)()
            asked += [ask(number) for number in islice(numbers, 1)]
            yield from found[skip:]
            skip = 0


def bundle(server: Server, number: int, width: int) -> list[tuple[int, bytes]]:
    """The first `width` entries of a bundle; raises NotYet, and Contradiction where it is not in its form."""
    path = f"/tile/entries/{tile_path(number)}"
    try:
        data = server.get(path if width == BUNDLE else f"{path}.p/{width}")
    except Absent:
        if width == BUNDLE:
            raise
        data = server.get(path)  # it became full meanwhile
    size = _ENTRY.size
    if len(data) % size or len(data) < width * size:
        raise Contradiction(
            f"{server.url}{path}: expected {width} entries of {ENTRY_BYTES} bytes, got {len(data)} bytes"
        )
    found = list(_ENTRY.iter_unpack(data[: width * size]))
    if any(length != ENTRY_BYTES for length, _, _ in found):
        raise Contradiction(f"{server.url}{path}: expected entries of {ENTRY_BYTES} bytes")
    return [(ledger_id, digest) for _, ledger_id, digest in found]


def tile_path(number: int) -> str:
    """The number of a tile as it stands in addresses: 1234067 is x001/x234/067."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


class Comparison:
    """One walk along a node's table of records, beside the entries of a log."""

    def __init__(self, node: Node, waiting: dict[int, Waiting]) -> None:
        self.waiting = {ledger_id: Waiting(each.digest, each.block) for ledger_id, each in waiting.items()}
        self._node = node
        self._table = node.ask_table()  # before the walk: what it counts has to be seen
        self._walked: int | None = None  # all records up to this id have been seen

    def compare(self, entries: dict[int, bytes], known_to: int) -> None:
        """Look up each of these entries; raises Contradiction for one that the chain does not know so.

        `known_to`: the highest id that was in the log before.
        """
        walked = known_to if self._walked is None else self._walked
        wanted = dict(entries)
        for ledger_id in wanted.keys() & self.waiting.keys():
            _same(ledger_id, wanted.pop(ledger_id), self.waiting.pop(ledger_id).digest)
        strays = sorted(ledger_id for ledger_id in wanted if ledger_id <= walked)
        top = max(entries)
        for ledger_id, digest in self._node.records(walked + 1, top) if top > walked else ():
            if ledger_id in wanted:
                _same(ledger_id, wanted.pop(ledger_id), digest)
            else:
                self.waiting.setdefault(ledger_id, Waiting(digest))
        self._walked = max(walked, top)
        for ledger_id, digest in self._looked_up(strays):
            if ledger_id in wanted:
                _same(ledger_id, wanted.pop(ledger_id), digest)
        pruned = range(1, self._table.floor + 1)  # the chain's table has forgotten these
        invented = sorted(ledger_id for ledger_id in wanted if ledger_id not in pruned)
        if invented:
            raise Contradiction(f"record {invented[0]} is in the log and not on the chain ({len(invented)} such)")

    def _looked_up(self, ids: list[int]) -> Iterator[tuple[int, bytes]]:
        """The records of these ids, neighbours in one request."""
        begin = 0
        for place in range(1, len(ids) + 1):
            if place == len(ids) or ids[place] > ids[place - 1] + FAR:
                yield from self._node.records(ids[begin], ids[place - 1])
                begin = place

    def end(self, known_to: int, count_above: Callable[[int], int], pairs: tuple[tuple[int, int], ...]) -> None:
        """See what else is on the chain; with the newest block that the node knows afterwards."""
        walked = known_to if self._walked is None else self._walked
        for ledger_id, digest in self._node.records(walked + 1, None):
            self.waiting.setdefault(ledger_id, Waiting(digest))
        floor = self._table.floor
        seen = count_above(floor) + sum(ledger_id > floor for ledger_id in self.waiting)
        if seen < self._table.count:  # below the ids that were walked along something came later
            self._fill(pairs, floor)
        newest = self._node.ask_head().num
        for each in self.waiting.values():
            each.block = newest if each.block is None else each.block

    def _fill(self, pairs: tuple[tuple[int, int], ...], floor: int) -> None:
        """Look between the ids that are in the log."""
        first = floor + 1
        for begin, last in pairs:
            if begin > first:
                for ledger_id, digest in self._node.records(first, begin - 1):
                    self.waiting.setdefault(ledger_id, Waiting(digest))
            first = max(first, last + 1)

    def complete(self, upto: int) -> None:
        """Raise Contradiction where a record of a block up to this one is on the chain and not in the log."""
        late = sorted(
            ledger_id for ledger_id, each in self.waiting.items() if each.block is not None and each.block <= upto
        )
        for ledger_id in late:
            if self._node.record(ledger_id) is None:  # pruned, or of a fork that is gone
                del self.waiting[ledger_id]
                continue
            block = self.waiting[ledger_id].block
            raise Contradiction(
                f"record {ledger_id} is on the chain since block {block} or before, and not in the log, "
                f"which says that it is complete up to block {upto}"
            )


def _same(ledger_id: int, logged: bytes, recorded: bytes) -> None:
    if logged != recorded:
        raise Contradiction(f"record {ledger_id}: the log says {logged.hex()}, the chain {recorded.hex()}")
