"""An account with the contract on a real chain, and records as the action carries them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dev.chain_setup import bootstrap
from dev.keys import KeyPair, Signer, new_keypair
from dev.transactions import Action, call, pack_bytes, pack_list, push_actions


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True)
class Rec:
    """One record; its digest is that of `text`."""

    id: int
    text: str
    sealed: bytes = b"sealed"

    @property
    def digest(self) -> bytes:
        return digest_of(self.text)

    def pack(self) -> bytes:
        return self.id.to_bytes(8, "little") + self.digest + pack_bytes(self.sealed)


def pack_records(records: Sequence[Rec]) -> bytes:
    return pack_list(record.pack() for record in records)


def make_records(first: int, last: int) -> list[Rec]:
    """Records with the ids from first to last and digests of their own."""
    return [Rec(number, f"session {number}") for number in range(first, last + 1)]


@dataclass
class LedgerAccount:
    """An account with the contract, its keys, and its chain; `record_key` stands where the TPM's key stands."""

    url: str
    name: str
    producer_key: KeyPair
    owner_key: KeyPair = field(default_factory=new_keypair)
    active_key: KeyPair = field(default_factory=new_keypair)
    record_key: KeyPair = field(default_factory=lambda: new_keypair("R1"))

    def bootstrap(self) -> None:
        bootstrap(
            self.url,
            producer_key=self.producer_key,
            owner_key=self.owner_key,
            active_key=self.active_key,
            record_public_key=self.record_key.public,
            account=self.name,
            wait=False,
        )

    def action(self, name: str, data: bytes, permission: str) -> Action:
        """One of the contract's own actions, by a permission of its own account."""
        return Action(self.name, name, data, f"{self.name}@{permission}")

    def push(self, action: Action, *keys: Signer) -> dict[str, Any]:
        return push_actions(self.url, [action], keys)

    def record(self, *records: Rec, key: Signer | None = None) -> dict[str, Any]:
        """Record as the portal does: with the permission `record`; returns nodeos' trace."""
        return self.record_packed(pack_records(records), key=key)

    def record_packed(self, data: bytes, *, key: Signer | None = None) -> dict[str, Any]:
        return self.push(self.action("record", data, "record"), key or self.record_key)

    def prune_action(self, upto: int, maximum: int, permission: str = "active") -> Action:
        return self.action("prune", upto.to_bytes(8, "little") + maximum.to_bytes(4, "little"), permission)

    def prune(self, upto: int, maximum: int) -> None:
        self.push(self.prune_action(upto, maximum), self.active_key)

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        """Rows of the table `records`, decoded by the node with the contract's ABI."""
        return self._table("records", **query)

    def ids(self) -> list[int]:
        return [row["id"] for row in self.rows()]

    def state(self) -> dict[str, int]:
        """The state row, or that of a ledger that never recorded anything."""
        rows = self._table("state")
        return rows[0] if rows else {"floor": 0, "count": 0, "last": 0}

    def account(self) -> dict[str, Any]:
        answer: dict[str, Any] = call(self.url, "chain/get_account", {"account_name": self.name})
        return answer

    def _table(self, table: str, **query: Any) -> list[dict[str, Any]]:
        body = {"code": self.name, "scope": self.name, "table": table, "json": True, "limit": 1000} | query
        rows: list[dict[str, Any]] = call(self.url, "chain/get_table_rows", body)["rows"]
        return rows
