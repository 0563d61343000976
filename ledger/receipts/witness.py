"""PURE: what a node of the chain is asked about a receipt, and a strict view of its answers (docs/receipts.md)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from ledger import record
from ledger.chain import antelope
from ledger.chain import block as blocks
from ledger.chain.antelope import AntelopeError
from ledger.chain.block import hex_bytes
from ledger.chain.holders import NotTold, told_holders
from ledger.receipts.form import LEDGER_ID, Receipt

TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}")


class NodeError(Exception):
    """A node gave no answer, or none that can be used."""


class NoSuchTable(NodeError):
    """The contract has no table of this name (error 3060003 of nodeos)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is: the addresses that its name stands for, and the port. `certificate` is its TLS certificate's."""

    addresses: frozenset[str]
    port: int
    certificate: str = ""

    def is_same_node(self, other: "Place") -> bool:
        same_address = self.port == other.port and bool(self.addresses & other.addresses)
        return same_address or bool(self.certificate and self.certificate == other.certificate)

    def is_same_host(self, other: "Place") -> bool:
        return bool(self.addresses & other.addresses)


class Node(Protocol):
    """One node of the chain."""

    @property
    def url(self) -> str: ...

    def ask(self, call: str, body: Mapping[str, Any]) -> Any:
        """The JSON, read by strict_json, that /v1/chain/CALL answers; raises NodeError where there is none."""

    def place(self) -> Place:
        """Never raises. The certificate is known once something was asked."""


class Witness:
    """One node's answers, each asked for once. Properties raise NodeError or AntelopeError."""

    def __init__(self, node: Node, receipt: Receipt) -> None:
        self.url = node.url
        self._node = node
        self._receipt = receipt
        self._answers: dict[str, Any] = {}

    def _ask(self, name: str, call: Callable[[], Any]) -> Any:
        if name not in self._answers:
            try:
                self._answers[name] = call()
            except (NodeError, AntelopeError) as error:
                self._answers[name] = error
        answer = self._answers[name]
        if isinstance(answer, NodeError | AntelopeError):
            raise answer
        return answer

    def _call(self, call: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return _mapping(self._ask(f"{call} {body}", lambda: self._node.ask(call, body)), call)

    def place(self) -> Place:
        return self._node.place()

    # --- chain and block

    @property
    def chain_id(self) -> str:
        return _digest(self._call("get_info", {}), "chain_id")

    @property
    def last_irreversible(self) -> int:
        last = self._call("get_info", {}).get("last_irreversible_block_num")
        if type(last) is not int or not 0 <= last < 1 << 32:
            raise NodeError(f"last_irreversible_block_num: expected a number of 32 bits, got {str(last)[:40]!r}")
        return last

    @property
    def producers(self) -> int:
        active = _mapping(self._call("get_producer_schedule", {}).get("active"), "active")
        return len(_list(active.get("producers"), "producers"))

    @property
    def block(self) -> Mapping[str, Any]:
        return self._call("get_raw_block", {"block_num_or_id": self._receipt.block_num})

    @property
    def by_id(self) -> Mapping[str, blocks.BlockTransaction]:
        """The block's transactions by their ids, without those that are there with their id alone."""
        found: Mapping[str, blocks.BlockTransaction] = self._ask("transactions", self._by_id)
        return found

    def _by_id(self) -> Mapping[str, blocks.BlockTransaction]:
        there = [transaction for transaction in blocks.transactions(self.block) if not transaction.deferred_id]
        return {transaction.id.hex(): transaction for transaction in reversed(there)}  # of equal ids the first

    @property
    def transaction(self) -> blocks.BlockTransaction:
        """The receipt's transaction in the block."""
        try:
            return self.by_id[self._receipt.transaction_id]
        except KeyError:
            raise NodeError("needs step 7") from None

    # --- the contract's tables

    @cached_property
    def account(self) -> str:
        """The receipt's account. Nobody is asked about what is no name."""
        if not antelope.is_name(self._receipt.account):
            raise NodeError(f"account: expected a name, got {self._receipt.account[:40]!r}")
        return self._receipt.account

    @property
    def ledger_id(self) -> int:
        if not LEDGER_ID.fullmatch(self._receipt.ledger_id):
            raise NodeError(f"ledger_id: expected a number of 64 bits, got {self._receipt.ledger_id[:40]!r}")
        return _uint64(self._receipt.ledger_id, "ledger_id")

    @property
    def row(self) -> tuple[int, str] | None:
        """Id and digest (hex) of the row of table `records`; None where there is none."""
        bound = str(self.ledger_id)
        found = self._row("records", lower_bound=bound, upper_bound=bound)
        return None if found is None else (_uint64(found.get("id"), "id"), _digest(found, "digest"))

    @property
    def floor(self) -> int:
        """Up to which id rows were pruned."""
        found = self._row("state")
        return 0 if found is None else _uint64(found.get("floor"), "floor")

    @property
    def credited_by(self) -> int | None:
        """The ledger id of the credit that took this session back; None where the chain has none."""
        salt, digest = (hex_bytes(text, "salt and digest", 32) for text in (self._receipt.salt, self._receipt.digest))
        mark = record.credit_mark(salt, digest).hex()
        try:
            found = self._row("marks", index_position="2", key_type="sha256", lower_bound=mark, upper_bound=mark)
        except NoSuchTable:
            return None
        if found is None:
            return None
        if found.get("mark") != mark:
            raise NodeError(f"marks: expected the mark {mark[:8]}…, got another")
        return _uint64(found.get("id"), "id")

    def _row(self, table: str, **bounds: str) -> Mapping[str, Any] | None:
        query = {"code": self.account, "scope": self.account, "table": table, "json": True, "limit": 1, **bounds}
        rows = _list(self._call("get_table_rows", query).get("rows"), "rows")
        return _mapping(rows[0], table) if rows else None

    # --- the contract itself

    @property
    def code_hash(self) -> str:
        return _digest(self._call("get_code_hash", {"account_name": self.account}), "code_hash")

    @property
    def code_updated(self) -> str:
        found = self._call("get_account", {"account_name": self.account}).get("last_code_update")
        if not isinstance(found, str) or not TIME.fullmatch(found):
            raise NodeError(f"last_code_update: expected YYYY-MM-DDTHH:MM:SS.mmm, got {str(found)[:40]!r}")
        return found

    @property
    def replaceable_by(self) -> tuple[str, ...]:
        try:
            return told_holders(self.account, self._call("get_account", {"account_name": self.account}))
        except NotTold as error:
            raise NodeError(f"get_account: {error}") from error


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise NodeError(f"{name}: expected an object, got {type(value).__name__}")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise NodeError(f"{name}: expected a list, got {type(value).__name__}")
    return value


def _digest(found: Mapping[str, Any], name: str) -> str:
    return hex_bytes(found.get(name), name, 32).hex()


def _uint64(value: Any, name: str) -> int:
    """The API writes 64-bit numbers as JSON numbers or, when large, as text."""
    if isinstance(value, str) and LEDGER_ID.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise NodeError(f"{name}: expected a number of 64 bits, got {str(value)[:40]!r}")
    return value
