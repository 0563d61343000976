"""The one door to the chain: the node's HTTP API (Antelope `/v1/chain`), with typed errors.

With signer.py the only importer of libeospy (`eospy`), used for building transactions and signing digests.
Reads try the next node when one does not answer. A send whose outcome is unknown goes on to the next node with the
same bytes: the chain takes a transaction id once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import httpx
from django.conf import settings
from eospy.types import Transaction
from eospy.utils import sig_digest

from ledger import antelope
from ledger import block as blocks
from ledger.block import BlockTransaction
from ledger.errors import (
    BY_CODE,
    ChainError,
    ChainRefused,
    ChainUnreachable,
    OutcomeUnknown,
    WrongChain,
)
from ledger.witness import NodeError

TIMEOUT = httpx.Timeout(10.0, connect=2.0)
ROWS_PAGE = 500
NO_SUCH_TABLE = 3060003


@dataclass(frozen=True)
class Info:
    """get_info: where the chain stands."""

    chain_id: str
    head_block_num: int
    head_block_time: datetime
    lib_num: int
    lib_id: str
    lib_time: datetime


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


def node_time(text: str) -> datetime:
    """The API's times are UTC without a zone."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


class Chain:
    """One contract account on one chain, reached through any of `nodes` (base URLs)."""

    def __init__(self, nodes: Sequence[str], *, account: str, chain_id: str, timeout: httpx.Timeout = TIMEOUT) -> None:
        if not nodes:
            raise ChainUnreachable("no node is configured: set EVPORTAL_LEDGER_NODES")
        self.nodes = [node.rstrip("/") for node in nodes]
        self.account = account
        self.chain_id = chain_id
        self._http = httpx.Client(timeout=timeout)

    # --- reading

    def info(self) -> Info:
        """Where the chain stands; refuses a node of another chain."""
        found = self.read("get_info")
        info = Info(
            chain_id=found["chain_id"],
            head_block_num=found["head_block_num"],
            head_block_time=node_time(found["head_block_time"]),
            lib_num=found["last_irreversible_block_num"],
            lib_id=found["last_irreversible_block_id"],
            lib_time=node_time(found["last_irreversible_block_time"]),
        )
        if info.chain_id != self.chain_id:
            raise WrongChain(f"expected chain {self.chain_id or '(none is pinned)'}, got {info.chain_id}")
        return info

    def status(self, transaction_id: str) -> Status:
        """What the node knows of a transaction. Public nodes may keep no statuses: UNKNOWN, never an error."""
        try:
            found = self.read("get_transaction_status", {"id": transaction_id})
        except ChainRefused:
            return Status("UNKNOWN")
        return Status(found["state"], found.get("block_number"), found.get("block_id", ""))

    def block(self, num: int) -> Block:
        """A block as stored, its id computed from its own header."""
        found = self.read("get_raw_block", {"block_num_or_id": num})
        try:
            if blocks.block_num(found) != num:
                raise antelope.AntelopeError(f"expected block {num}, got {blocks.block_num(found)}")
            transactions = {transaction.id.hex(): transaction for transaction in blocks.transactions(found)}
            return Block(num, blocks.block_id(found).hex(), node_time(found["timestamp"]), transactions)
        except antelope.AntelopeError as error:
            raise ChainError(f"block {num}: the node's answer is not a block: {error}") from error

    def rows(self, first: int, last: int) -> dict[int, bytes]:
        """Ledger id to digest of the rows first..last that are in the table now (head state)."""
        return dict(self.rows_iter(first, last))

    def rows_iter(self, first: int = 0, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        """The same as a stream, in the order of ids."""
        lower, upper = str(first), "" if last is None else str(last)
        while True:
            query = {"table": "records", "lower_bound": lower, "upper_bound": upper, "limit": ROWS_PAGE}
            found = self._table(query)
            for row in found["rows"]:
                yield int(row["id"]), bytes.fromhex(row["digest"])
            if not found["more"]:
                return
            lower = str(found["next_key"])

    def row(self, ledger_id: int) -> bytes | None:
        return self.rows(ledger_id, ledger_id).get(ledger_id)

    def row_id_of(self, digest: bytes) -> int | None:
        """The ledger id under which this digest is recorded (secondary index)."""
        bound = {"index_position": "2", "key_type": "sha256", "lower_bound": digest.hex(), "upper_bound": digest.hex()}
        rows = self._table({"table": "records", "limit": 1, **bound})["rows"]
        return int(rows[0]["id"]) if rows else None

    def state(self) -> State:
        """The contract's own row, now (head state)."""
        rows = self._table({"table": "state", "limit": 1})["rows"]
        if not rows:
            return State()
        numbers = {name: int(rows[0].get(name, 0)) for name in ("floor", "count", "last", "since")}
        return State(**numbers, heads=tuple(int(num) for num in rows[0].get("heads", [])))

    def mark_of(self, ledger_id: int) -> bytes | None:
        """The mark of this credit's record."""
        bound = str(ledger_id)
        rows = self._marks({"lower_bound": bound, "upper_bound": bound})
        return bytes.fromhex(rows[0]["mark"]) if rows else None

    def marked_id_of(self, mark: bytes) -> int | None:
        """The ledger id of the credit with this mark (secondary index)."""
        bound = {"index_position": "2", "key_type": "sha256", "lower_bound": mark.hex(), "upper_bound": mark.hex()}
        rows = self._marks(bound)
        return int(rows[0]["id"]) if rows else None

    def _marks(self, bound: dict[str, str]) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = self._table({"table": "marks", "limit": 1, **bound})["rows"]
        except ChainRefused as error:
            if error.code == NO_SUCH_TABLE:  # the first contract had none
                return []
            raise
        return rows

    def account_info(self) -> dict[str, Any]:
        """get_account: permissions, linked actions, limits."""
        return self.read("get_account", {"account_name": self.account})

    def cpu_left_us(self) -> int | None:
        """CPU that the account may still use now, in microseconds; None without a limit."""
        available = int(self.account_info()["cpu_limit"]["available"])
        return None if available < 0 else available

    def producers(self) -> list[str]:
        """Who makes the blocks now."""
        active = self.read("get_producer_schedule").get("active") or {}
        return [producer["producer_name"] for producer in active.get("producers", [])]

    def _table(self, query: dict[str, Any]) -> dict[str, Any]:
        return self.read("get_table_rows", {"code": self.account, "scope": self.account, "json": True, **query})

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
        data = antelope.pack_record_data(records, blocks, marks)
        return self._build(self.account, "record", data, expiration_s=expiration_s, info=info or self.info())

    def build_permission(self, public_keys: Sequence[str], *, parent: str, expiration_s: int) -> Unsigned:
        """A transaction by which the permission `record` gives itself these keys, each of which then does alone.

        Antelope asks no more for it than the permission that is changed.
        """
        data = antelope.pack_updateauth(self.account, "record", parent, public_keys)
        return self._build("eosio", "updateauth", data, expiration_s=expiration_s, info=self.info())

    def _build(self, code: str, name: str, data: bytes, *, expiration_s: int, info: Info) -> Unsigned:
        expires_at = (info.head_block_time + timedelta(seconds=expiration_s)).replace(microsecond=0)
        authorization = [{"actor": self.account, "permission": "record"}]
        action = {"account": code, "name": name, "authorization": authorization, "data": data.hex()}
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
        transaction = Transaction({**header, "actions": [action]}, {}, {})
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
        silent: list[str] = []
        for node in self.nodes:
            try:
                _answer(self._http.post(f"{node}/v1/chain/send_transaction2", json=body))
            except (httpx.HTTPError, _NoAnswer) as error:
                silent.append(f"{node}: {_reason(error)}")
            else:
                return
        raise OutcomeUnknown("; ".join(silent))

    def read(self, call: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call of the API; the next node answers where one does not."""
        silent: list[str] = []
        for node in self.nodes:
            try:
                return _answer(self._http.post(f"{node}/v1/chain/{call}", json=body or {}))
            except (httpx.HTTPError, _NoAnswer) as error:
                silent.append(f"{node}: {_reason(error)}")
        raise ChainUnreachable("; ".join(silent))


class _NoAnswer(Exception):
    """A proxy's error page, a cut body: nothing that a node said."""


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a success; a node's refusal as a typed error; anything else is no answer."""
    try:
        content = response.json()
    except (ValueError, RecursionError) as error:  # RecursionError: JSON nested without end
        raise _NoAnswer(f"HTTP {response.status_code} without JSON") from error
    if not isinstance(content, dict):
        raise _NoAnswer(f"HTTP {response.status_code} with a {type(content).__name__}")
    if response.is_success:
        return content
    refusal = content["error"] if isinstance(content.get("error"), dict) else {}
    code = refusal.get("code")
    if not isinstance(code, int) or code == 0:
        if 400 <= response.status_code < 500:
            raise ChainRefused(f"HTTP {response.status_code}: {content.get('message', '')}")
        raise _NoAnswer(f"HTTP {response.status_code} without a code")
    raise BY_CODE.get(code, ChainRefused)(_message(refusal), code)


def _message(error: dict[str, Any]) -> str:
    details = [str(item.get("message", "")) for item in error.get("details") or [] if isinstance(item, dict)]
    return ": ".join(part for part in [str(error.get("what", "")), *details[:1]] if part)


@lru_cache(maxsize=4)
def _chain(nodes: tuple[str, ...], account: str, chain_id: str) -> Chain:
    return Chain(nodes, account=account, chain_id=chain_id)


def chain_for_pages() -> Chain:
    """The same for a page that only wants to say how the chain is: it waits a second for a node, not ten."""
    return _chain_for_pages(tuple(settings.LEDGER_NODES[:2]), settings.LEDGER_ACCOUNT, settings.LEDGER_CHAIN_ID)


@lru_cache(maxsize=4)
def _chain_for_pages(nodes: tuple[str, ...], account: str, chain_id: str) -> Chain:
    return Chain(nodes, account=account, chain_id=chain_id, timeout=httpx.Timeout(1.0, connect=0.5))


def chain() -> Chain:
    """The chain of the settings; one HTTP session a process."""
    return _chain(tuple(settings.LEDGER_NODES), settings.LEDGER_ACCOUNT, settings.LEDGER_CHAIN_ID)


class NodeReader:
    """One node as a witness for receipts (ledger.witness.Node): it speaks for itself, never for another node."""

    def __init__(self, url: str, *, account: str, chain_id: str) -> None:
        self.url = url.rstrip("/")
        # somebody waits for the page: a node that hangs is given up sooner than by a worker
        self._chain = Chain([url], account=account, chain_id=chain_id, timeout=httpx.Timeout(4.0, connect=2.0))

    def get_info(self) -> dict[str, Any]:
        return self._ask("get_info", {})

    def get_block(self, num: int) -> dict[str, Any]:
        return self._ask("get_raw_block", {"block_num_or_id": num})

    def get_row(self, account: str, ledger_id: int) -> dict[str, Any] | None:
        bound = str(ledger_id)
        rows = self._rows(account, {"table": "records", "lower_bound": bound, "upper_bound": bound})
        return rows[0] if rows else None

    def get_state(self, account: str) -> dict[str, Any]:
        rows = self._rows(account, {"table": "state"})
        return rows[0] if rows else {"floor": 0, "count": 0, "last": 0}

    def get_producer_schedule(self) -> dict[str, Any]:
        return self._ask("get_producer_schedule", {})

    def _rows(self, account: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._ask("get_table_rows", {"code": account, "scope": account, "json": True, "limit": 1, **query})
        rows = found.get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise NodeError(f"expected rows, got {type(rows).__name__}")
        return rows

    def _ask(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._chain.read(call, body)
        except ChainError as error:
            # whoever reports it names the node already
            raise NodeError(str(error).removeprefix(f"{self.url}: ")) from error


@lru_cache(maxsize=16)
def _reader(url: str, account: str, chain_id: str) -> NodeReader:
    return NodeReader(url, account=account, chain_id=chain_id)


def readers() -> list[NodeReader]:
    """The nodes of the settings, each as a witness of its own; one HTTP session a process and node."""
    return [_reader(url, settings.LEDGER_ACCOUNT, settings.LEDGER_CHAIN_ID) for url in settings.LEDGER_NODES]
