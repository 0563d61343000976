"""PURE: what a node of the chain is asked about a receipt, and a strict view of its answers."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ledger import block as blocks
from ledger.receipt_form import Receipt


class NodeError(Exception):
    """A node gave no answer, or none that can be used."""


class Node(Protocol):
    """One node of the chain. Every call raises NodeError where the node gives no (usable) answer."""

    @property
    def url(self) -> str: ...

    def get_info(self) -> Mapping[str, Any]:
        """`/v1/chain/get_info`"""

    def get_block(self, num: int) -> Mapping[str, Any]:
        """`/v1/chain/get_raw_block`"""

    def get_row(self, account: str, ledger_id: int) -> Mapping[str, Any] | None:
        """The row {"id", "digest"} of table `records`, None when it is absent."""

    def get_state(self, account: str) -> Mapping[str, Any]:
        """The row {"floor", "count", "last"} of table `state`; all 0 when there is none yet."""

    def get_producer_schedule(self) -> Mapping[str, Any]:
        """`/v1/chain/get_producer_schedule`"""


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
            except NodeError as error:
                self._answers[name] = error
            except RecursionError:  # JSON nested without end
                self._answers[name] = NodeError("the answer is nested too deeply")
        answer = self._answers[name]
        if isinstance(answer, NodeError):
            raise answer
        return answer

    @property
    def info(self) -> Mapping[str, Any]:
        return _mapping(self._ask("info", self._node.get_info), "get_info")

    @property
    def block(self) -> Mapping[str, Any]:
        return _mapping(self._ask("block", lambda: self._node.get_block(self._receipt.block_num)), "get_raw_block")

    @property
    def row(self) -> Mapping[str, Any] | None:
        found = self._ask("row", lambda: self._node.get_row(self._receipt.account, self.ledger_id))
        return None if found is None else _mapping(found, "records")

    @property
    def ledger_id(self) -> int:
        number = uint(self._receipt.ledger_id)
        if number >= 1 << 64:
            raise NodeError(f"ledger_id: expected a number of 64 bits, got {number}")
        return number

    @property
    def floor(self) -> int:
        return uint(_mapping(self._ask("state", lambda: self._node.get_state(self._receipt.account)), "state")["floor"])

    @property
    def producers(self) -> int:
        schedule = _mapping(self._ask("schedule", self._node.get_producer_schedule), "get_producer_schedule")
        return len(_mapping(schedule["active"], "active")["producers"])

    @property
    def transactions(self) -> list[blocks.BlockTransaction]:
        """The transactions of the block, without those that are there with their id alone."""
        found: list[blocks.BlockTransaction] = self._ask("transactions", lambda: blocks.transactions(self.block))
        return [transaction for transaction in found if not transaction.deferred_id]

    @property
    def transaction(self) -> blocks.BlockTransaction:
        """The receipt's transaction in the block."""
        for transaction in self.transactions:
            if transaction.id.hex() == self._receipt.transaction_id:
                return transaction
        raise NodeError("needs step 7")


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NodeError(f"{name}: expected an object, got {type(value).__name__}")
    return value


def uint(value: Any) -> int:
    """The API writes 64-bit numbers as JSON numbers or, when large, as text."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value):
        return int(value)
    if type(value) is int and value >= 0:
        return value
    raise NodeError(f"expected an unsigned number, got {str(value)[:40]!r}")
