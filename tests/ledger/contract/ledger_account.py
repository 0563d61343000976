"""An account with the contract on a real chain, and records as the action carries them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.chain.keys import KeyPair, Signer, new_keypair
from dev.chain.setup import CONTRACT_DIR, bootstrap
from dev.chain.transactions import Action, call, pack_bytes, pack_list, push_actions
from tests.waiting import until


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
    """The action's data as version 1 of the contract had them: they end after the records."""
    return pack_list(record.pack() for record in records)


def pack_data(records: Sequence[Rec], blocks: Sequence[int] = (), marks: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """The action's data with both extensions."""
    named = pack_list(block.to_bytes(4, "little") for block in blocks)
    return pack_records(records) + named + pack_list(number.to_bytes(8, "little") + mark for number, mark in marks)


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
    prune_key: KeyPair = field(default_factory=new_keypair)

    def bootstrap(self, contract_dir: Path = CONTRACT_DIR, *, give_away: bool = False) -> None:
        bootstrap(
            self.url,
            producer_key=self.producer_key,
            owner_key=self.owner_key,
            active_key=self.active_key,
            record_public_key=self.record_key.public,
            prune_public_key=self.prune_key.public,
            account=self.name,
            contract_dir=contract_dir,
            give_away=give_away,
            wait=False,
        )

    def action(self, name: str, data: bytes, permission: str) -> Action:
        """One of the contract's own actions, by a permission of its own account."""
        return Action(self.name, name, data, f"{self.name}@{permission}")

    def push(self, action: Action, *keys: Signer) -> dict[str, Any]:
        return push_actions(self.url, [action], keys)

    def record(self, *records: Rec, key: Signer | None = None) -> dict[str, Any]:
        """Record as the portal does: with the permission `record`; returns nodeos' trace."""
        return self.record_packed(pack_data(records), key=key)

    def record_naming(self, record: Rec, blocks: Sequence[int]) -> int:
        """Record one in a block above all of these, naming them; returns the number of the block that it went into."""
        highest = max(blocks, default=0)
        until(lambda: call(self.url, "chain/get_info")["head_block_num"] >= highest)
        return int(self.record_packed(pack_data([record], blocks))["block_num"])

    def record_packed(self, data: bytes, *, key: Signer | None = None) -> dict[str, Any]:
        return self.push(self.action("record", data, "record"), key or self.record_key)

    def prune_action(self, upto: int, maximum: int, permission: str = "prune") -> Action:
        return self.action("prune", upto.to_bytes(8, "little") + maximum.to_bytes(4, "little"), permission)

    def prune(self, upto: int, maximum: int) -> None:
        self.push(self.prune_action(upto, maximum), self.prune_key)

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        """Rows of the table `records`, decoded by the node with the contract's ABI."""
        return self._table("records", **query)

    def ids(self) -> list[int]:
        return [row["id"] for row in self.rows()]

    def marks(self, **query: Any) -> list[dict[str, Any]]:
        return self._table("marks", **query)

    def state(self) -> dict[str, int]:
        """Floor, count and last of the state row, or of a ledger that never recorded anything."""
        rows = self._table("state") or [{}]
        return {name: rows[0].get(name, 0) for name in ("floor", "count", "last")}

    def heads(self) -> list[int]:
        return [int(number) for number in self._table("state")[0]["heads"]]

    def since(self) -> int:
        return int(self._table("state")[0]["since"])

    def account(self) -> dict[str, Any]:
        answer: dict[str, Any] = call(self.url, "chain/get_account", {"account_name": self.name})
        return answer

    def _table(self, table: str, **query: Any) -> list[dict[str, Any]]:
        body = {"code": self.name, "scope": self.name, "table": table, "json": True, "limit": 1000} | query
        rows: list[dict[str, Any]] = call(self.url, "chain/get_table_rows", body)["rows"]
        return rows
