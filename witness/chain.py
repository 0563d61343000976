"""What nodes of the chain say: the log's row there, and the records themselves.

The contract keeps the newest checkpoint in one row. So who wants to know an earlier one has to have looked in time:
`Chain.look` is called before each answer and all the time by `follow`, and remembers.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from witness.asking import Server
from witness.errors import Contradiction, FormError, NotYet, shown
from witness.trees import EMPTY_ROOT

PAGE_ROWS = 1000
SILENCE_S = 5.0  # of a node; then the others have to do
REMEMBERED = 4096
CLOCK_BEHIND_S, CLOCK_AHEAD_S = 60.0, 600.0
_NAME = re.compile(r"[a-z1-5.]{1,12}")
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """The contract's row of the log: recorded last, in `block`; all records of blocks up to `upto` are in it."""

    size: int
    root: bytes
    upto: int
    block: int


@dataclass(frozen=True)
class Head:
    """Where a node stands; `time` in POSIX seconds."""

    num: int
    irreversible: int
    time: float


@dataclass(frozen=True)
class Table:
    """The contract's row about the table of records: nothing up to `floor` is in it any more, `count` others are."""

    floor: int
    count: int


class Node:
    """One node, for one account on one chain. Every method raises NotYet where it does not say."""

    def __init__(self, url: str, *, account: str, chain_id: str) -> None:
        self.server = Server(f"{url.rstrip('/')}/v1/chain", silence_s=SILENCE_S)
        self.url = url
        self.rows: OrderedDict[int, Row] = OrderedDict()  # by size, as they were seen
        self.head: Head | None = None
        self.trouble = ""
        self._account, self._chain_id = account, chain_id

    def ask_head(self) -> Head:
        """Where it stands now; a node of another chain does not say."""
        found = self.server.get_json("/get_info")
        chain_id = self._read(found, lambda: found["chain_id"])
        if chain_id != self._chain_id:
            raise NotYet(f"{self.url}: a node of another chain, {shown(str(chain_id))}")
        return self._read(
            found,
            lambda: Head(
                int(found["head_block_num"]),
                int(found["last_irreversible_block_num"]),
                datetime.fromisoformat(found["head_block_time"]).replace(tzinfo=UTC).timestamp(),
            ),
        )

    def ask_log(self) -> Row | None:
        """The log's row; None before the first checkpoint."""
        found = self._rows({"table": "log", "limit": 1})
        return self._read(found, lambda: _row(found["rows"][0]) if found["rows"] else None)

    def ask_table(self) -> Table:
        """How many records there are."""
        found = self._rows({"table": "state", "limit": 1})
        return self._read(
            found,
            lambda: Table(int(found["rows"][0]["floor"]), int(found["rows"][0]["count"])) if found["rows"] else None,
        ) or Table(0, 0)

    def records(self, first: int, last: int | None, *, page: int = PAGE_ROWS) -> Iterator[tuple[int, bytes]]:
        """Ledger ids and digests from `first` to `last` (None: to the end), ascending."""
        while last is None or first <= last:
            query: dict[str, Any] = {"table": "records", "lower_bound": str(first), "limit": page}
            found = self._rows(query if last is None else {**query, "upper_bound": str(last)})
            rows, more = self._page(found, first)
            yield from rows
            if not more:
                return
            if not rows:
                raise NotYet(f"{self.url}: it says that there are more records, and shows none")
            first = rows[-1][0] + 1  # not its `next_key`, which may name the row that was just shown

    def record(self, ledger_id: int) -> bytes | None:
        """The digest that stands under this id now; None without a row."""
        return next((digest for _, digest in self.records(ledger_id, ledger_id)), None)

    def _rows(self, query: dict[str, Any]) -> Any:
        scope = {"code": self._account, "scope": self._account, "json": True}
        return self.server.post("/get_table_rows", {**scope, **query})

    def _page(self, found: Any, first: int) -> tuple[list[tuple[int, bytes]], bool]:
        return self._read(found, lambda: (_records(found["rows"], first), bool(found["more"])))

    def _read(self, found: object, read: Callable[[], T]) -> T:
        try:
            return read()
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise NotYet(f"{self.url}: not in its form: {shown(str(found))}") from error


def _row(found: dict[str, Any]) -> Row:
    root = bytes.fromhex(found["root"])
    if len(root) != len(EMPTY_ROOT):
        raise ValueError("expected a hash")
    return Row(int(found["size"]), root, int(found["upto"]), int(found["block"]))


def _records(rows: list[dict[str, Any]], first: int) -> list[tuple[int, bytes]]:
    found = [(int(row["id"]), bytes.fromhex(row["digest"])) for row in rows]
    before = first - 1
    for ledger_id, digest in found:
        if ledger_id <= before or len(digest) != 32:
            raise ValueError("expected ascending ids and digests of 32 bytes")
        before = ledger_id
    return found


class Chain:
    """What all nodes of one log say together."""

    def __init__(self, nodes: list[str], *, account: str, chain_id: str) -> None:
        if not _NAME.fullmatch(account):
            raise FormError(f"account: expected a name of the chain, got {shown(account)}")
        if not re.fullmatch(r"[0-9a-f]{64}", chain_id):
            raise FormError("chain_id: expected 64 hexadecimal digits")
        self.nodes = [Node(url, account=account, chain_id=chain_id) for url in nodes]
        self._asking, self._lock = threading.Lock(), threading.Lock()

    def look(self) -> None:
        """Ask every node for the log's row, and remember it; what does not answer is noted there, nothing is raised."""
        with self._asking, ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(self._look, self.nodes))

    def _look(self, node: Node) -> None:
        try:
            head, row = node.ask_head(), node.ask_log()
        except NotYet as error:
            node.trouble = str(error)
            return
        with self._lock:
            node.head, node.trouble = head, ""
            if row is not None:
                _remember(node, row)

    def row_of(self, size: int, root: bytes) -> tuple[Node, Row]:
        """A node that has this checkpoint in an irreversible block, and its row there.

        Raises Contradiction where any node knows another root of that size, NotYet where none has it (yet).
        """
        self.look()
        with self._lock:
            for node in self.nodes:
                row = node.rows.get(size)
                if row is not None and row.root != root:
                    raise Contradiction(
                        f"on the chain {size} leaves have the root {row.root.hex()} (block {row.block}, {node.url})"
                    )
            for node in self.nodes:
                row = node.rows.get(size)
                if row is not None and node.head is not None and row.block <= node.head.irreversible:
                    return node, row
            raise NotYet(self._why_not(size))

    def _why_not(self, size: int) -> str:
        if all(node.trouble for node in self.nodes):
            return f"no node answers: {'; '.join(node.trouble for node in self.nodes)}"
        newest = max((size for node in self.nodes for size in node.rows), default=0)
        if newest > size and not any(size in node.rows for node in self.nodes):
            return f"the chain's table went on to {newest} leaves before we looked: ask with a newer checkpoint"
        return f"a checkpoint of {size} leaves is not irreversible on the chain yet"

    def clock_trouble(self, now: float) -> str:
        """What is wrong with our clock beside the newest block that a node knows; "" where nothing is."""
        newest = max((node.head.time for node in self.nodes if node.head and not node.trouble), default=None)
        if newest is None or newest - CLOCK_BEHIND_S <= now <= newest + CLOCK_AHEAD_S:
            return ""
        return f"our clock is {abs(now - newest):.0f} s {'ahead of' if now > newest else 'behind'} the newest block"

    def as_json(self) -> list[dict[str, Any]]:
        """For the status."""
        with self._lock:
            return [
                {
                    "node": node.url,
                    "head": node.head and node.head.num,
                    "size": next(reversed(node.rows), None),
                    "trouble": node.trouble or None,
                }
                for node in self.nodes
            ]


def _remember(node: Node, row: Row) -> None:
    known = node.rows.get(row.size)
    if known is not None and known.root != row.root:  # of a fork that is gone, perhaps; but signed it was
        node.trouble = f"{node.url} said two roots for {row.size} leaves: {known.root.hex()}, {row.root.hex()}"
        if known.block > (node.head.irreversible if node.head else 0):
            node.rows[row.size] = row
        return
    node.rows[row.size] = row  # also where a fork put it into another block
    node.rows.move_to_end(row.size)
    while len(node.rows) > REMEMBERED:
        node.rows.popitem(last=False)


def follow(chain: Chain, every_s: float, ended: threading.Event) -> None:
    """Look until it is ended: each checkpoint has to be seen while the chain's table still shows it."""
    while not ended.wait(every_s):
        chain.look()
