"""PURE: what a block proves. Its id from its header, the root of its transactions, and the transactions in it.

Works on the JSON of nodeos' `/v1/chain/get_raw_block` (Leap 4, Spring): the block as it is stored, header extensions
included, which `get_block` leaves out. Whatever does not have that shape raises AntelopeError.
"""

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ledger.chain.antelope import (
    ZERO_DIGEST,
    AntelopeError,
    bytes_pack,
    extensions_pack,
    name_pack,
    public_key_pack,
    sha256,
    signature_pack,
    varuint_pack,
)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SLOT = timedelta(milliseconds=500)
TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{3}")
SAVANNA_SCHEDULE_VERSION = 1 << 31  # marks blocks of Spring's Savanna consensus, which build the root differently
STATUSES = ("executed", "soft_fail", "hard_fail", "delayed", "expired")  # the index is what is packed
COMPRESSIONS = ("none", "zlib")
TRANSACTION_BYTES_MAX = 4 * 1024 * 1024
Json = Mapping[str, object]


def _int(source: Json, name: str, bits: int) -> int:
    value = source.get(name)
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise AntelopeError(f"{name}: expected an unsigned number of {bits} bits, got {str(value)[:40]!r}")
    return value


def _text(source: Json, name: str) -> str:
    value = source.get(name)
    if not isinstance(value, str):
        raise AntelopeError(f"{name}: expected text, got {type(value).__name__}")
    return value


def _list(source: Json, name: str) -> list[object]:
    value = source.get(name)
    if not isinstance(value, list):
        raise AntelopeError(f"{name}: expected a list, got {type(value).__name__}")
    return value


def _object(value: object, name: str) -> Json:
    if not isinstance(value, dict):
        raise AntelopeError(f"{name}: expected an object, got {type(value).__name__}")
    return value


def hex_bytes(text: object, name: str, size: int | None = None) -> bytes:
    """Return the bytes of lower-case hex text, of `size` bytes if given."""
    try:
        data = bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        data = None
    if data is None or data.hex() != text:  # fromhex alone takes upper case and spaces as well
        raise AntelopeError(f"{name}: expected lower-case hex, got {str(text)[:40]!r}")
    if size is not None and len(data) != size:
        raise AntelopeError(f"{name}: expected {size} bytes, got {len(data)}")
    return data


# --- the header ---


def _slot(text: str) -> int:
    """Return the number of half seconds since 2000 of a block's timestamp."""
    try:
        if not TIMESTAMP.fullmatch(text):
            raise ValueError("another form")
        slot, rest = divmod(datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH, SLOT)
    except ValueError as error:
        raise AntelopeError(f"timestamp: expected YYYY-MM-DDTHH:MM:SS.mmm, got {text[:40]!r}") from error
    if rest or not 0 <= slot < 1 << 32:
        raise AntelopeError(f"timestamp: expected a half second since 2000, got {text[:40]!r}")
    return slot


def _new_producers(value: object) -> bytes:
    """Pack optional<producer_schedule>, used by chains without WTMSIG_BLOCK_SIGNATURES only."""
    if value is None:
        return b"\0"
    schedule = _object(value, "new_producers")
    producers = [_object(producer, "producer") for producer in _list(schedule, "producers")]
    packed = [name_pack(_text(p, "producer_name")) + public_key_pack(_text(p, "block_signing_key")) for p in producers]
    return b"\1" + struct.pack("<I", _int(schedule, "version", 32)) + varuint_pack(len(packed)) + b"".join(packed)


def _header_extensions(block: Json) -> bytes:
    extensions = []
    for pair in _list(block, "header_extensions"):
        if not isinstance(pair, list) or len(pair) != 2:
            raise AntelopeError("header_extensions: expected pairs of a number and hex")
        number = _int({"header extension": pair[0]}, "header extension", 16)
        extensions.append((number, hex_bytes(pair[1], "header extension")))
    return extensions_pack(extensions)


def header_pack(block: Json) -> bytes:
    """Pack the block's header, without the producer's signature, as nodeos does."""
    return b"".join(
        (
            struct.pack("<I", _slot(_text(block, "timestamp"))),
            name_pack(_text(block, "producer")),
            struct.pack("<H", _int(block, "confirmed", 16)),
            *(hex_bytes(block.get(name), name, 32) for name in ("previous", "transaction_mroot", "action_mroot")),
            struct.pack("<I", _int(block, "schedule_version", 32)),
            _new_producers(block.get("new_producers")),
            _header_extensions(block),
        )
    )


def block_num(block: Json) -> int:
    """Return the block's number: one more than that in the first 4 bytes of the previous block's id."""
    return int.from_bytes(hex_bytes(block.get("previous"), "previous", 32)[:4], "big") + 1


def block_id(block: Json) -> bytes:
    """Return SHA-256 of the header, its first 4 bytes replaced by the block's number."""
    return struct.pack(">I", block_num(block) & 0xFFFFFFFF) + sha256(header_pack(block))[4:]


# --- the transactions ---


@dataclass(frozen=True, slots=True)
class BlockTransaction:
    """One transaction of a block with its receipt. A deferred one is there with its id alone (`packed` is empty)."""

    status: str
    cpu_usage_us: int
    net_usage_words: int
    signatures: tuple[str, ...]
    compression: str
    stored: bytes  # the packed transaction, compressed or not
    context_free_data: bytes
    deferred_id: bytes

    @property
    def packed(self) -> bytes:
        """The transaction, inflated where it is stored so; raises AntelopeError for what is no one stream."""
        if self.compression == "none":
            return self.stored
        inflater = zlib.decompressobj()
        try:
            packed = inflater.decompress(self.stored, TRANSACTION_BYTES_MAX)
        except zlib.error as error:
            raise AntelopeError(f"packed_trx: {error}") from error
        if not inflater.eof or inflater.unused_data:
            raise AntelopeError(f"packed_trx: expected one zlib stream of at most {TRANSACTION_BYTES_MAX} bytes")
        return packed

    @property
    def id(self) -> bytes:
        """SHA-256 of the bytes; a deferred transaction stands in blocks by its id alone."""
        return self.deferred_id or sha256(self.packed)

    @property
    def receipt_digest(self) -> bytes:
        """The leaf of the transaction root: SHA-256(packed receipt header || digest of the packed transaction)."""
        head = struct.pack("<BI", STATUSES.index(self.status), self.cpu_usage_us) + varuint_pack(self.net_usage_words)
        return sha256(head + (self.deferred_id or self._packed_digest()))

    def _packed_digest(self) -> bytes:
        signatures = varuint_pack(len(self.signatures)) + b"".join(map(signature_pack, self.signatures))
        prunable = sha256(signatures + bytes_pack(self.context_free_data))
        return sha256(bytes([COMPRESSIONS.index(self.compression)]) + bytes_pack(self.stored) + prunable)


def _one_of(source: Json, name: str, allowed: Sequence[str]) -> str:
    value = _text(source, name)
    if value not in allowed:
        raise AntelopeError(f"{name}: expected one of {', '.join(allowed)}, got {value[:40]!r}")
    return value


def _transaction(entry: object) -> BlockTransaction:
    receipt = _object(entry, "transaction receipt")
    status = _one_of(receipt, "status", STATUSES)
    cpu, net = _int(receipt, "cpu_usage_us", 32), _int(receipt, "net_usage_words", 32)
    variant = _list(receipt, "trx")
    kind = variant[0] if len(variant) == 2 and type(variant[0]) is int else None  # false is 0, too
    if kind == 0:
        return BlockTransaction(status, cpu, net, (), "none", b"", b"", hex_bytes(variant[1], "trx", 32))
    if kind != 1:
        raise AntelopeError("trx: expected [0, id] or [1, packed transaction]")
    trx = _object(variant[1], "trx")
    signatures = tuple(_text({"signature": text}, "signature") for text in _list(trx, "signatures"))
    compression = _one_of(trx, "compression", COMPRESSIONS)
    stored = hex_bytes(trx.get("packed_trx"), "packed_trx")
    free = hex_bytes(trx.get("packed_context_free_data"), "packed_context_free_data")
    return BlockTransaction(status, cpu, net, signatures, compression, stored, free, b"")


def transactions(block: Json) -> list[BlockTransaction]:
    """Return the block's transactions in their order."""
    return [_transaction(entry) for entry in _list(block, "transactions")]


def merkle_root(digests: Sequence[bytes]) -> bytes:
    """Return the root of EOSIO's and Leap's tree: bit 7 of the first byte is 0 left, 1 right; an odd last one twice."""
    level = list(digests) or [ZERO_DIGEST]
    while len(level) > 1:
        level += level[-1:] * (len(level) % 2)
        level = [
            sha256(bytes([left[0] & 0x7F]) + left[1:] + bytes([right[0] | 0x80]) + right[1:])
            for left, right in zip(level[::2], level[1::2], strict=True)
        ]
    return level[0]


def merkle_root_savanna(digests: Sequence[bytes]) -> bytes:
    """Return the root of Spring's tree under Savanna: unmarked, split at the highest power of two below the size."""
    if len(digests) <= 1:
        return digests[0] if digests else ZERO_DIGEST
    middle = 1 << (len(digests) - 1).bit_length() - 1
    return sha256(merkle_root_savanna(digests[:middle]) + merkle_root_savanna(digests[middle:]))


def transaction_root(block: Json) -> bytes:
    """Return the root of all transaction receipts of the block, to compare with its header's `transaction_mroot`."""
    savanna = _int(block, "schedule_version", 32) == SAVANNA_SCHEDULE_VERSION
    digests = [transaction.receipt_digest for transaction in transactions(block)]
    return merkle_root_savanna(digests) if savanna else merkle_root(digests)
