"""What an audit reads of the chain: each transaction's block once, and whether the row of the database is of it."""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from common import clock
from ledger import record
from ledger.chain import antelope, p256
from ledger.chain.block import BlockTransaction
from ledger.chain.node import Block, Chain
from ledger.chain.records import records_in
from ledger.chain.view import View
from ledger.errors import ChainRefused, ChainUnreachable, LedgerError, RecordError
from ledger.keys import data_keys
from ledger.models import ChainTransaction
from tpm.client import TpmError

KEPT = 64  # transactions: entries of one are neighbours, mostly
FRESH = timedelta(seconds=60)  # a node whose newest block is older than that may not have come so far yet


class _Row(NamedTuple):
    pk: int
    status: str
    transaction_id: str
    packed: bytes
    signature: str
    public_key: str
    expires_at: datetime
    ref_block_num: int
    block_num: int
    block_id: str
    irreversible_at: datetime


@dataclass(frozen=True, slots=True)
class Carrier:
    """An IRREVERSIBLE transaction: what is wrong with its row ("" for nothing), and the digests that it recorded.

    `key_ids`: under which data key each copy is sealed, as far as that can be read.
    """

    reason: str = ""
    digests: dict[int, bytes] = field(default_factory=dict)
    key_ids: dict[int, bytes] = field(default_factory=dict)


class Carriers:
    """The transactions of entries against their blocks, each read and compared once."""

    def __init__(self, node: Chain) -> None:
        self.node = node
        self.view = View(node)
        self._known: OrderedDict[int, Carrier] = OrderedDict()

    def of(self, pks: Collection[int]) -> dict[int, Carrier]:
        """These, by primary key, as far as they are IRREVERSIBLE. Raises ChainError."""
        missing = [pk for pk in pks if pk not in self._known]
        rows = ChainTransaction.objects.filter(pk__in=missing, status=ChainTransaction.Status.IRREVERSIBLE)
        found = {pk: self._known[pk] for pk in pks if pk in self._known}
        for values in rows.order_by("block_num").values_list(*_Row._fields).iterator(chunk_size=20):
            row = _Row._make(values)
            found[row.pk] = self._known[row.pk] = self._carrier(row)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found

    def require_fresh(self) -> None:
        """What is not there may only not be there yet. Raises ChainUnreachable where this node stands still."""
        self.view = View(self.node)
        if (head := self.view.info.head_block_time) < clock.now() - FRESH:
            raise ChainUnreachable(f"the newest block that a node has is of {head:%Y-%m-%d %H:%M:%S} UTC")

    def _carrier(self, row: _Row) -> Carrier:
        if not self._irreversible(row.block_num):
            return Carrier(f"transaction: block {row.block_num} is not irreversible")
        try:
            block = self.view.block(row.block_num)
        except ChainRefused as error:
            return Carrier(f"transaction: block {row.block_num} cannot be read: {error}")
        found = block.transactions.get(row.transaction_id or "")
        if found is None or found.status != "executed":
            return Carrier(f"transaction: block {row.block_num} does not hold {row.transaction_id}")
        differing = ", ".join(_differing(row, block, found, self.node.chain_id))
        reason = f"transaction: {differing}: not as in block {row.block_num}" if differing else ""
        records = records_in(found, self.node.account)
        digests = {ledger_id: digest for ledger_id, digest, _ in records}
        return Carrier(reason, digests, _key_ids(records, self.directory) if self.directory else {})

    @cached_property
    def directory(self) -> bytes | None:
        """The directory key; None where it cannot be had now: then nobody compares under which key copies are."""
        try:
            return data_keys.keyring().directory
        except (LedgerError, TpmError):
            return None

    def _irreversible(self, num: int | None) -> bool:
        if num is None or num < 2:
            return False
        if num > self.view.info.lib_num:  # asked a while ago, perhaps
            self.require_fresh()
        return num <= self.view.info.lib_num


def _key_ids(records: Iterable[antelope.Record], directory: bytes) -> dict[int, bytes]:
    found = {}
    for ledger_id, _, sealed in records:
        with suppress(RecordError):  # b"": erased before it was sealed
            found[ledger_id] = record.key_id_of(ledger_id=ledger_id, sealed=sealed, directory=directory)
    return found


def _differing(row: _Row, block: Block, found: BlockTransaction, chain_id: str) -> Iterable[str]:
    """Names of the columns that are not what the block says."""
    unpacked = antelope.Transaction.unpack(found.packed)
    wanted: dict[str, Any] = {
        "packed": found.packed,
        "expires_at": unpacked.expiration,
        "ref_block_num": block.num - ((block.num - unpacked.ref_block_num) & 0xFFFF),
        "block_id": block.id,
        "irreversible_at": block.time,
    }
    for name, value in wanted.items():
        kept = getattr(row, name)
        if (bytes(kept) if name == "packed" and kept is not None else kept) != value:
            yield name
    digest = antelope.signing_digest(bytes.fromhex(chain_id), found.packed)
    if row.signature not in found.signatures:
        yield "signature"
    elif not _signed_by(row.public_key, row.signature, digest):
        yield "public_key"


_signers: set[str] = set()  # keys that were recovered from a signature on the chain once: 15 ms each


def _signed_by(public_key: str, signature: str, digest: bytes) -> bool:
    """Is this key the signer? Four keys fit a signature; that one of them is a key seen before is no accident."""
    try:
        _, data = antelope.signature_decode(signature)
        if public_key in _signers:
            return _verifies(public_key, data, digest)
        signer = antelope.public_key_encode(p256.recover(digest, data))
    except (antelope.AntelopeError, p256.RecoveryError, ValueError):
        return False
    _signers.add(signer)
    return signer == public_key


def _verifies(public_key: str, signature: bytes, digest: bytes) -> bool:
    r, s = (int.from_bytes(part, "big") for part in (signature[1:33], signature[33:65]))
    try:
        _point(public_key).verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=64)
def _point(public_key: str) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), antelope.public_key_decode(public_key)[1])
