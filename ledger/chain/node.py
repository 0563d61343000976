"""The one door to the chain: the node's HTTP API (Antelope `/v1/chain`), with typed errors.

With ledger/signing/signer.py the only
importer of libeospy (`eospy`), used for building transactions and signing digests.
Which node is asked, and what counts as an answer, is nodes.py's. A send whose outcome is unknown goes on to the next
node with the same bytes: the chain takes a transaction id once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from django.conf import settings
from eospy.types import Transaction
from eospy.utils import sig_digest

from common.outgoing.asking import Patience
from ledger.chain import antelope
from ledger.chain import block as blocks
from ledger.chain.block import BlockTransaction
from ledger.chain.nodes import Info, Nodes, info_read, node_time, number
from ledger.errors import BlockUnavailable, CallMissing, ChainRefused, ChainUnreachable, WrongChain

PATIENCE = Patience(2.0, 10.0, 20.0)
ROWS_PAGE = 500
NO_SUCH_TABLE = 3060003
T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """The contract's own row: `heads` are the blocks with records that no later action has named yet (ascending).

    `since`: 0 nothing recorded under this contract; 1 the list of blocks is complete; n > 1: not below block n.
    """

    floor: int = 0
    count: int = 0
    last: int = 0
    since: int = 0
    heads: tuple[int, ...] = ()


@dataclass(frozen=True)
class Unsigned:
    """A built transaction. `digest` (32 bytes) is what the TPM signs."""

    packed: bytes
    digest: bytes
    transaction_id: str
    expires_at: datetime
    ref_block_num: int


@dataclass(frozen=True)
class Status:
    """get_transaction_status. `state` is the node's word, UNKNOWN where it keeps none."""

    state: str
    block_num: int | None = None
    block_id: str = ""


@dataclass(frozen=True)
class Block:
    """A stored block; `transactions` by transaction id (hex), in the block's order."""

    num: int
    id: str
    time: datetime
    transactions: dict[str, BlockTransaction]


class Chain:
    """One contract account on one chain, reached through any of `nodes` (base URLs)."""

    def __init__(self, nodes: Sequence[str], *, account: str, chain_id: str, patience: Patience = PATIENCE) -> None:
        if not nodes:
            raise ChainUnreachable("no node is configured: set EVPORTAL_LEDGER_NODES")
        self.nodes = Nodes([node.rstrip("/") for node in nodes], chain_id=chain_id, patience=patience)
        self.account = account
        self.chain_id = chain_id

    # --- reading

    def info(self) -> Info:
        """Where the chain stands; a node of another chain does not say."""

        def understand(found: dict[str, Any]) -> Info:
            info = info_read(found)
            if info.chain_id != self.chain_id:
                raise WrongChain(self.nodes.stranger(info))
            return info

        return self.nodes.read("get_info", {}, understand)

    def earliest_num(self, info: Info) -> int:
        """The first block that any of the nodes says it has."""
        infos = [standing.info for standing in self.nodes.standings() if standing.info and standing.usable]
        return min(each.earliest_num for each in [*infos, info])

    def status(self, transaction_id: str) -> Status:
        """What the node knows of a transaction. Public nodes may keep no statuses: UNKNOWN, never an error."""
        try:
            return self.nodes.read("get_transaction_status", {"id": transaction_id}, _status)
        except (ChainRefused, CallMissing):
            return Status("UNKNOWN")

    def block(self, num: int) -> Block:
        """A block as stored, its id computed from its own header. Raises BlockUnavailable where no node has it."""
        try:
            return self.nodes.read("get_raw_block", {"block_num_or_id": num}, lambda found: _block(num, found))
        except ChainRefused as error:
            raise BlockUnavailable(f"block {num}: {error}", error.code) from error

    def rows(self, first: int, last: int) -> dict[int, bytes]:
        """Ledger id to digest of the rows first..last that are in the table now (head state)."""
        return dict(self.rows_iter(first, last))

    def rows_iter(self, first: int = 0, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """The same as a stream, in the order of ids."""
        lower, upper = str(first), "" if last is None else str(last)
        while True:
            query = {"table": "records", "lower_bound": lower, "upper_bound": upper, "limit": ROWS_PAGE}
            rows, following = self._table(query, _page)
            yield from rows
            if following is None:
                return
            lower = following

    def row(self, ledger_id: int) -> bytes | None:
        """The digest under this ledger id; None where there is no row."""
        return self.rows(ledger_id, ledger_id).get(ledger_id)

    def row_id_of(self, digest: bytes) -> int | None:
        """The ledger id under which this digest is recorded (secondary index)."""
        bound = {"index_position": "2", "key_type": "sha256", "lower_bound": digest.hex(), "upper_bound": digest.hex()}
        ids = self._table(
            {"table": "records", "limit": 1, **bound}, lambda found: [int(r["id"]) for r in found["rows"]]
        )
        return ids[0] if ids else None

    def state(self) -> State:
        """The contract's own row, now (head state)."""
        return self._table({"table": "state", "limit": 1}, _state)

    def mark_of(self, ledger_id: int) -> bytes | None:
        """The mark of this credit's record."""
        bound = str(ledger_id)
        return self._marks({"lower_bound": bound, "upper_bound": bound}, lambda row: bytes.fromhex(row["mark"]))

    def marked_id_of(self, mark: bytes) -> int | None:
        """The ledger id of the credit with this mark (secondary index)."""
        bound = {"index_position": "2", "key_type": "sha256", "lower_bound": mark.hex(), "upper_bound": mark.hex()}
        return self._marks(bound, lambda row: int(row["id"]))

    def _marks(self, bound: dict[str, str], understand: Callable[[dict[str, Any]], T]) -> T | None:
        query = {"table": "marks", "limit": 1, **bound}
        try:
            found = self._table(query, lambda found: [understand(row) for row in found["rows"]])
        except ChainRefused as error:
            if error.code == NO_SUCH_TABLE:  # the first contract had none
                return None
            raise
        return found[0] if found else None

    def account_info(self) -> dict[str, Any]:
        """get_account: permissions, linked actions, limits."""
        return self.nodes.read("get_account", {"account_name": self.account}, _account)

    def cpu_left_us(self) -> int | None:
        """CPU that the account may still use now, in microseconds; None without a limit."""
        available = int(self.account_info()["cpu_limit"]["available"])
        return None if available < 0 else available

    def producers(self) -> list[str]:
        """Who makes the blocks now."""

        def understand(found: dict[str, Any]) -> list[str]:
            return [str(producer["producer_name"]) for producer in (found["active"] or {}).get("producers", [])]

        return self.nodes.read("get_producer_schedule", {}, understand)

    def _table(self, query: dict[str, Any], understand: Callable[[dict[str, Any]], T]) -> T:
        """The answer's `rows` are a list of objects, whatever else it holds."""

        def checked(found: dict[str, Any]) -> T:
            if not isinstance(found["rows"], list) or not all(isinstance(row, dict) for row in found["rows"]):
                raise TypeError("expected rows")
            return understand(found)

        scope = {"code": self.account, "scope": self.account, "json": True}
        return self.nodes.read("get_table_rows", {**scope, **query}, checked)

    # --- writing

    def build(
        self,
        records: Sequence[antelope.Record],
        *,
        expiration_s: int,
        info: Info | None = None,
        blocks: Sequence[int] = (),
        marks: Sequence[antelope.Mark] = (),
    ) -> Unsigned:
        """A transaction with one `record` action, referring to the last irreversible block (of `info`, if given).

        The expiration counts from the node's head time, never from our clock.
        """
        by = (antelope.Authorization(self.account, "record"),)
        data = antelope.pack_record_data(records, blocks, marks)
        action = antelope.Action(self.account, "record", by, data)
        return self.build_actions([action], expiration_s=expiration_s, info=info or self.info())

    def build_actions(self, actions: Sequence[antelope.Action], *, expiration_s: int, info: Info) -> Unsigned:
        """A transaction with these actions."""
        expires_at = (info.head_block_time + timedelta(seconds=expiration_s)).replace(microsecond=0)
        header = {
            "expiration": expires_at.isoformat(),
            "ref_block_num": info.lib_num & 0xFFFF,
            "ref_block_prefix": int.from_bytes(bytes.fromhex(info.lib_id)[8:12], "little"),
            "net_usage_words": 0,
            "max_cpu_usage_ms": 0,
            "delay_sec": 0,
            "context_free_actions": [],
            "transaction_extensions": [],
        }
        transaction = Transaction({**header, "actions": [action.as_json() for action in actions]}, {}, {})
        packed = bytes(transaction.encode())
        return Unsigned(
            packed=packed,
            digest=bytes.fromhex(sig_digest(packed, self.chain_id)),
            transaction_id=antelope.transaction_id(packed).hex(),
            expires_at=expires_at,
            ref_block_num=info.lib_num,
        )

    def send(self, packed: bytes, signature: str) -> None:
        """Hand a signed transaction to a node. Returning means accepted by one, not that it is in a block."""
        body = {
            "return_failure_trace": False,
            "retry_trx": False,
            "transaction": {
                "signatures": [signature],
                "compression": "none",
                "packed_context_free_data": "",
                "packed_trx": packed.hex(),
            },
        }
        self.nodes.send(body, antelope.transaction_id(packed).hex())

    def read(self, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call of the API as it is answered; the next node answers where one does not."""
        return self.nodes.read(call, body or {}, dict)


def _status(found: dict[str, Any]) -> Status:
    num, block_id = found.get("block_number"), found.get("block_id", "")
    if not isinstance(found["state"], str) or not isinstance(block_id, str):
        raise TypeError("expected a state")
    return Status(found["state"], None if num is None else number(num), block_id)


def _block(num: int, found: dict[str, Any]) -> Block:
    if blocks.block_num(found) != num:
        raise antelope.AntelopeError(f"expected block {num}, got {blocks.block_num(found)}")
    transactions = {transaction.id.hex(): transaction for transaction in blocks.transactions(found)}
    return Block(num, blocks.block_id(found).hex(), node_time(found["timestamp"]), transactions)


def _page(found: dict[str, Any]) -> tuple[list[tuple[int, bytes]], str | None]:
    """Ledger ids and digests, and where the next page begins."""
    rows = [(int(row["id"]), bytes.fromhex(row["digest"])) for row in found["rows"]]
    return rows, str(int(found["next_key"])) if found["more"] else None


def _state(found: dict[str, Any]) -> State:
    if not found["rows"]:
        return State()
    row = found["rows"][0]
    numbers = {name: int(row[name]) for name in ("floor", "count", "last")}
    return State(**numbers, since=int(row.get("since", 0)), heads=tuple(int(num) for num in row.get("heads", [])))


def _account(found: dict[str, Any]) -> dict[str, Any]:
    """The answer, if it has what we look at (ledger/signing/permissions.py)."""
    for permission in found["permissions"]:
        authority = permission["required_auth"]
        lists = [authority[name] for name in ("keys", "accounts", "waits")]
        linked = permission.get("linked_actions") or []
        texts = [permission["perm_name"], permission["parent"], *(item["key"] for item in authority["keys"])]
        number(authority["threshold"])
        if not all(isinstance(each, list) for each in [*lists, linked]) or not all(isinstance(t, str) for t in texts):
            raise TypeError("expected permissions")
        if not all(isinstance(item, dict) for item in linked):
            raise TypeError("expected linked actions")
    int(found["cpu_limit"]["available"])
    return found


@lru_cache(maxsize=4)
def _chain(nodes: tuple[str, ...], account: str, chain_id: str) -> Chain:
    return Chain(nodes, account=account, chain_id=chain_id)


def chain_for_pages() -> Chain:
    """The same for a page that only wants to say how the chain is: it waits a second for a node, not ten."""
    return _chain_for_pages(tuple(settings.LEDGER_NODES[:2]), settings.LEDGER_ACCOUNT, settings.LEDGER_CHAIN_ID)


@lru_cache(maxsize=4)
def _chain_for_pages(nodes: tuple[str, ...], account: str, chain_id: str) -> Chain:
    return Chain(nodes, account=account, chain_id=chain_id, patience=Patience(0.5, 1.0, 3.0))


def chain() -> Chain:
    """The chain of the settings; one HTTP session a process."""
    return _chain(tuple(settings.LEDGER_NODES), settings.LEDGER_ACCOUNT, settings.LEDGER_CHAIN_ID)
