"""PURE: a receipt's member `chain`: steps 4 to 9 from it, and made from a node's raw block (docs/receipts.md)."""

import base64
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ledger.chain import antelope, k1
from ledger.chain import block as blocks
from ledger.chain.antelope import AntelopeError
from ledger.chain.block import BlockTransaction, hex_bytes
from ledger.receipts.parts import ChainPart

HEADER_BYTES_MIN, HEADER_BYTES_MAX = 116, 65_535
_PREVIOUS, _ROOT, _SCHEDULE_VERSION = slice(14, 18), slice(46, 78), slice(110, 114)


@dataclass(frozen=True, slots=True)
class Header:
    """A packed header, without the producer's signature."""

    packed: bytes

    @property
    def transaction_root(self) -> bytes:
        return self.packed[_ROOT]

    @property
    def is_savanna(self) -> bool:
        version: int = struct.unpack("<I", self.packed[_SCHEDULE_VERSION])[0]
        return version == blocks.SAVANNA_SCHEDULE_VERSION

    @property
    def id(self) -> bytes:
        number = int.from_bytes(self.packed[_PREVIOUS], "big") + 1
        return struct.pack(">I", number & 0xFFFFFFFF) + antelope.sha256(self.packed)[4:]


def header_of(part: ChainPart) -> Header:
    """Raises AntelopeError."""
    packed = hex_bytes(part.header, "header")
    if not HEADER_BYTES_MIN <= len(packed) <= HEADER_BYTES_MAX:
        raise AntelopeError(f"header: expected {HEADER_BYTES_MIN} to {HEADER_BYTES_MAX} bytes, got {len(packed)}")
    return Header(packed)


def signed_digest(header: Header, blockroot_merkle: bytes, schedule_hash: bytes) -> bytes:
    """What the block's producer signed. Savanna's is the id itself, whatever else is given."""
    if header.is_savanna:
        return header.id
    return antelope.sha256(antelope.sha256(antelope.sha256(header.packed) + blockroot_merkle) + schedule_hash)


def producer_key(part: ChainPart) -> str | None:
    """The key with which the producer signed, where the part tells of one; raises AntelopeError where that is wrong."""
    header, others = header_of(part), part.signed_with
    if part.producer_signature is None or part.producer_key is None:
        if part.producer_signature or part.producer_key or others:
            raise AntelopeError("the producer's signature, key and what else it signed: expected all or none")
        return None
    if (others is None) != header.is_savanna:
        raise AntelopeError("signed_with: expected before Savanna, and only there")
    roots = [hex_bytes((others or {}).get(name), name, 32) for name in ("blockroot_merkle", "schedule_hash") if others]
    curve, signature = antelope.signature_decode(part.producer_signature)
    named, key = antelope.public_key_decode(part.producer_key)
    if (curve, named) != ("K1", "K1"):
        raise AntelopeError("the producer's signature and key: expected K1")
    try:
        found = k1.recover(signed_digest(header, *(roots or [b"", b""])), signature)
    except k1.RecoveryError as error:
        raise AntelopeError(f"the producer's signature: {error}") from error
    if found != key:
        raise AntelopeError(f"the producer's signature is of another key than {part.producer_key}")
    return part.producer_key


def transaction_of(part: ChainPart) -> BlockTransaction:
    """The transaction as it stands in the block; raises AntelopeError."""
    if part.status not in blocks.STATUSES or part.compression not in blocks.COMPRESSIONS:
        raise AntelopeError("status or compression: expected a name of nodeos'")
    stored = _base64(part.packed, "packed")
    if part.stored is not None:
        stored = _base64(part.stored, "stored")
    free = hex_bytes(part.context_free_data, "context_free_data")
    usage = part.cpu_usage_us, part.net_usage_words
    return BlockTransaction(part.status, *usage, part.signatures, part.compression, stored, free, b"")


def packed_of(part: ChainPart) -> bytes:
    """The transaction; raises AntelopeError."""
    return _base64(part.packed, "packed")


def stored_of(part: ChainPart) -> bytes:
    """The transaction, where the bytes that stand in the block give it; raises AntelopeError."""
    packed = packed_of(part)
    if (part.stored is None) != (part.compression == "none"):
        raise AntelopeError("stored: expected where the transaction is compressed, and only there")
    if part.stored is not None and transaction_of(part).packed != packed:
        raise AntelopeError("stored: expected the compressed form of packed, got that of another transaction")
    return packed


def root_of(part: ChainPart) -> bytes:
    """Where the path leads from the transaction; raises AntelopeError."""
    savanna, node = header_of(part).is_savanna, transaction_of(part).receipt_digest
    for step in part.path:
        side, sibling = step[:1], hex_bytes(step[1:], "path", 32)
        if side not in ("L", "R"):
            raise AntelopeError("path: expected L or R and 32 bytes in hex")
        node = _parent_savanna(node, side, sibling) if savanna else _parent(node, side, sibling)
    return node


def _parent_savanna(node: bytes, side: str, sibling: bytes) -> bytes:
    return antelope.sha256(sibling + node if side == "L" else node + sibling)


def _parent(node: bytes, side: str, sibling: bytes) -> bytes:
    """Bit 7 of the first byte says on which side a hash stands: 0 left, 1 right."""
    left, right = bytes([node[0] & 0x7F]) + node[1:], bytes([node[0] | 0x80]) + node[1:]
    if (sibling[0] >> 7 == 1) != (side == "R"):
        raise AntelopeError("path: the first bit of a sibling says another side")
    if side == "R":
        return antelope.sha256(left + sibling)
    if sibling == left:
        raise AntelopeError("path: what stands beside itself stands on the left")
    return antelope.sha256(sibling + right)


def _base64(text: str, name: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        _no_base64(name)
    return data if base64.b64encode(data).decode() == text else _no_base64(name)


def _no_base64(name: str) -> NoReturn:
    raise AntelopeError(f"{name}: expected base64 in its canonical spelling")


# --- building


def chain_part_of(block: Mapping[str, object], transaction_id: str, told_keys: Collection[str] = ()) -> dict[str, Any]:
    """The part for this transaction; raises AntelopeError where the block does not have it.

    `told_keys` are the block's producer's, as a node tells them. Before Savanna a producer signs more than a block
    has, which a node tells only while the block is reversible: then nothing is said of its signature.
    """
    listed = blocks.transactions(block)
    place = next((n for n, one in enumerate(listed) if not one.deferred_id and one.id.hex() == transaction_id), None)
    if place is None:
        raise AntelopeError(f"block: expected transaction {transaction_id[:8]}…, it is not there")
    mine, header = listed[place], Header(blocks.header_pack(block))
    leaves = [one.receipt_digest for one in listed]
    path = _path_savanna(leaves, place) if header.is_savanna else _path(leaves, place)
    return {
        "packed": base64.b64encode(mine.packed).decode(),
        "signatures": list(mine.signatures),
        "compression": mine.compression,
        "stored": None if mine.compression == "none" else base64.b64encode(mine.stored).decode(),
        "context_free_data": mine.context_free_data.hex(),
        "status": mine.status,
        "cpu_usage_us": mine.cpu_usage_us,
        "net_usage_words": mine.net_usage_words,
        "path": path,
        "header": header.packed.hex(),
        **_producer(header, block.get("producer_signature"), told_keys),
        "signed_with": None,
    }


def _producer(header: Header, signature: object, told_keys: Collection[str]) -> dict[str, str | None]:
    """Its signature, where one of its keys made it."""
    nothing: dict[str, str | None] = {"producer_signature": None, "producer_key": None}
    if not header.is_savanna or not isinstance(signature, str):
        return nothing
    try:
        curve, data = antelope.signature_decode(signature)
        found = k1.recover(header.id, data) if curve == "K1" else None
        known = {antelope.public_key_decode(key): key for key in told_keys}
    except (AntelopeError, k1.RecoveryError):
        return nothing
    key = known.get(("K1", found)) if found else None
    return {"producer_signature": signature, "producer_key": key} if key else nothing


def _path(leaves: Sequence[bytes], place: int) -> list[str]:
    """An odd last one stands beside itself."""
    level, path = list(leaves), []
    while len(level) > 1:
        level += level[-1:] * (len(level) % 2)
        side, one = ("L", level[place - 1]) if place % 2 else ("R", level[place + 1])
        first = one[0] | 0x80 if side == "R" else one[0] & 0x7F
        path.append(f"{side}{bytes([first]).hex()}{one[1:].hex()}")
        level = [blocks.merkle_root(level[at : at + 2]) for at in range(0, len(level), 2)]
        place //= 2
    return path


def _path_savanna(leaves: Sequence[bytes], place: int) -> list[str]:
    if len(leaves) == 1:
        return []
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = leaves[:middle], leaves[middle:]
    if place < middle:
        return [*_path_savanna(left, place), "R" + blocks.merkle_root_savanna(right).hex()]
    return [*_path_savanna(right, place - middle), "L" + blocks.merkle_root_savanna(left).hex()]
