"""The sealed copies on the chain, where they stand, and opening them with the data keys at hand."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ledger import record
from ledger.chain.block import BlockTransaction
from ledger.chain.node import Block, Chain
from ledger.chain.records import records_in
from ledger.chain.walk import walk
from ledger.errors import KeyDestroyed, MasterKeyMissing, RecordError
from ledger.keys import data_keys
from ledger.models import DataKey

# What every record of a session has.
ALWAYS = {"transaction_id", "station", "evse_id", "connector_id", "location"}
ALWAYS |= {"status", "started_at", "stopped_at", "source"}


class Contents:
    """What a record says of sessions, for whoever has its `content`; None where that was erased or is not open."""

    content: dict[str, Any] | None

    @property
    def session_id(self) -> UUID | None:
        return UUID(self.content["id"]) if self.content else None

    @property
    def credits(self) -> UUID | None:
        """The session that this one takes back."""
        credited = (self.content or {}).get("credit_reference_id")
        return UUID(credited) if credited else None


@dataclass(frozen=True)
class Copy(Contents):
    """A record as an irreversible block holds it; `data_key` and `opened` are None until `Opener.open` found them."""

    ledger_id: int
    digest: bytes
    sealed: bytes
    block: Block
    transaction: BlockTransaction
    data_key: DataKey | None = None
    opened: record.Opened | None = None
    content: dict[str, Any] | None = None

    @property
    def erased(self) -> bool:
        """Its data key was destroyed with its customer: there is nothing in it that anybody reads."""
        return self.data_key is not None and self.data_key.wrapped is None


def copies_in(block: Block, account: str) -> Iterator[list[Copy]]:
    """What each transaction of a block recorded, the newest first."""
    for found in reversed(block.transactions.values()):
        records = records_in(found, account)
        if records:
            yield [Copy(ledger_id, digest, sealed, block, found) for ledger_id, digest, sealed in reversed(records)]


class Opener:
    """Opens copies with the keys at hand. Raises TpmError and MasterKeyMissing where the TPM or its file is away."""

    def __init__(self) -> None:
        self._ring = data_keys.keyring()

    def open(self, copies: Sequence[Copy]) -> list[Copy]:
        """The same copies with what is in them; those that no key at hand opens stay as they are."""
        named = {copy.ledger_id: self._key_id(copy) for copy in copies}
        wanted = {key_id for key_id in named.values() if key_id is not None}
        found = {bytes(row.key_id): row for row in DataKey.objects.filter(key_id__in=wanted)}
        return [self._opened(copy, found.get(named[copy.ledger_id] or b"")) for copy in copies]

    def _key_id(self, copy: Copy) -> bytes | None:
        try:
            return record.key_id_of(ledger_id=copy.ledger_id, sealed=copy.sealed, directory=self._ring.directory)
        except RecordError:
            return None

    def _opened(self, copy: Copy, data_key: DataKey | None) -> Copy:
        if data_key is None:
            return copy
        try:
            key = self._ring.unwrap(data_key)
            opened = record.open_sealed(ledger_id=copy.ledger_id, sealed=copy.sealed, key=key)
        except KeyDestroyed:
            return replace(copy, data_key=data_key)
        except (RecordError, MasterKeyMissing):
            return copy
        if record.digest(opened.salt, opened.canonical) != copy.digest:
            return copy
        return replace(copy, data_key=data_key, opened=opened, content=content_of(opened))


def content_of(opened: record.Opened) -> dict[str, Any] | None:
    """The record's fields; None where it is none of ours, whoever signed it."""
    try:
        content = opened.record
        UUID(content["id"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return content if content.get("format") in record.FORMATS and content.keys() >= ALWAYS else None


def copies_find(node: Chain, opener: Opener, *, ids: Iterable[int] = (), sessions: Iterable[UUID] = ()) -> list[Copy]:
    """The copies under these ledger ids and of these sessions, opened; reads back from the newest until all are found.

    What stands under an id in the contract's table counts, should blocks hold the id twice.
    """
    by_id, by_session, found = set(ids), set(sessions), list[Copy]()
    for block in walk(node) if by_id or by_session else ():
        for copies in copies_in(block, node.account):
            near = copies if by_session else [copy for copy in copies if copy.ledger_id in by_id]
            for copy in opener.open(near):
                if copy.ledger_id in by_id or copy.session_id in by_session:
                    found.append(copy)
                    by_id.discard(copy.ledger_id)
                    by_session.discard(copy.session_id)
        if not by_id and not by_session:
            break
    return found


def copy_at(node: Chain, ledger_id: int, block_num: int | None, transaction_id: str | None) -> Copy | None:
    """The copy under this id, if that transaction in that block holds it."""
    block = node.block(block_num) if block_num else None
    found = block.transactions.get(transaction_id or "") if block else None
    if block is None or found is None:
        return None
    records = records_in(found, node.account)
    return next((Copy(*item, block, found) for item in records if item[0] == ledger_id), None)
