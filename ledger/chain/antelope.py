"""PURE: the binary and text encodings of Antelope chains (EOS.IO) that the ledger needs.

Names, records (the data of `evledger::record`), transactions, keys and signatures, and what a block proves: its id and
the root of its transactions. Layouts are those of nodeos (libraries/chain: name, transaction, block_header, merkle).
Every decoder is strict: truncated, trailing or not minimal data raise AntelopeError.
"""

import hashlib
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tpm import base58

NAME_CHARS = ".12345abcdefghijklmnopqrstuvwxyz"
NAME_PATTERN = re.compile(r"(?=.{1,13}\Z)[.1-5a-z]{0,12}[.1-5a-j]?\Z")
CURVES = ("K1", "R1", "WA")  # the index is the type byte on the chain; WA (WebAuthn) is for others' signatures only
ZERO_DIGEST = bytes(32)


class AntelopeError(ValueError):
    """Not the encoding that it should be; the message says what was expected and what came."""


def sha256(data: bytes) -> bytes:
    """32 bytes."""
    return hashlib.sha256(data).digest()


# --- numbers, names and the reader ---


def varuint_pack(value: int) -> bytes:
    """Pack an unsigned 32-bit number, 7 bits a byte, lowest first."""
    if not 0 <= value < 1 << 32:
        raise AntelopeError(f"expected 0 to 2^32-1, got {value}")
    packed = bytearray()
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)


def bytes_pack(data: bytes) -> bytes:
    """Pack a `bytes` value: its length and itself."""
    return varuint_pack(len(data)) + data


def is_name(text: str) -> bool:
    """Tell whether this is the one spelling of an account's, action's or permission's name ("" is none)."""
    return bool(NAME_PATTERN.match(text)) and not text.endswith(".")


def name_to_int(name: str) -> int:
    """Return the 64-bit number of an account, action or permission name ("" is 0)."""
    if name and not is_name(name):
        raise AntelopeError(f"expected a name of 1 to 13 of a-z, 1-5 and inner dots (13th a-j, 1-5), got {name!r}")
    value = 0
    for position, char in enumerate(name[:12]):
        value |= NAME_CHARS.index(char) << (59 - 5 * position)
    if len(name) == 13:
        value |= NAME_CHARS.index(name[12])
    return value


def int_to_name(value: int) -> str:
    """Return the name that a 64-bit number stands for."""
    chars = [NAME_CHARS[value >> (59 - 5 * position) & 0x1F] for position in range(12)]
    return ("".join(chars) + NAME_CHARS[value & 0x0F]).rstrip(".")


def name_pack(name: str) -> bytes:
    """The 8 bytes of a name, little-endian."""
    return struct.pack("<Q", name_to_int(name))


class Reader:
    """Takes packed values one after the other; raises AntelopeError where the data end too early or too late."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes; raises AntelopeError where there are fewer."""
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise AntelopeError(f"truncated at byte {self._at}: expected {size} more bytes, got {len(part)}")
        self._at += size
        return part

    def uint(self, size: int) -> int:
        """Take an unsigned little-endian number of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def varuint(self) -> int:
        """A varuint32: seven bits a byte, lowest first; raises AntelopeError for a longer spelling."""
        start, value = self._at, 0
        for shift in range(0, 35, 7):
            byte = self.uint(1)
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
        if self._data[start : self._at] != varuint_pack(value):
            raise AntelopeError(f"expected a minimal 32-bit varuint at byte {start}")
        return value

    def blob(self) -> bytes:
        """Take a `bytes` value: its length and itself."""
        return self.take(self.varuint())

    def name(self) -> str:
        """A name of 8 bytes, as text."""
        return int_to_name(self.uint(8))

    def at_end(self) -> bool:
        """Whether every byte was read."""
        return self._at == len(self._data)

    def end(self) -> None:
        """Raises AntelopeError where something is left."""
        if not self.at_end():
            raise AntelopeError(f"expected {self._at} bytes, got {len(self._data) - self._at} more")


# --- the data of evledger::record ---

Record = tuple[int, bytes, bytes]  # ledger id, digest (32 bytes), sealed copy


def pack_records(records: Sequence[Record]) -> bytes:
    """Pack `rec[] records` with rec{uint64 id; checksum256 digest; bytes sealed}."""
    parts = [varuint_pack(len(records))]
    for ledger_id, digest, sealed in records:
        parts.append(_uint_pack("id", ledger_id, 64) + _hash_checked("digest", digest) + bytes_pack(sealed))
    return b"".join(parts)


def _uint_pack(name: str, value: int, bits: int) -> bytes:
    if not 0 <= value < 1 << bits:
        raise AntelopeError(f"{name}: expected 0 to 2^{bits}-1, got {value}")
    return value.to_bytes(bits // 8, "little")


def _hash_checked(name: str, value: bytes) -> bytes:
    if len(value) != 32:
        raise AntelopeError(f"{name}: expected 32 bytes, got {len(value)}")
    return value


Mark = tuple[int, bytes]  # ledger id of a credit, record.credit_mark (32 bytes) of what it takes back


@dataclass(frozen=True, slots=True)
class RecordData:
    """What one `record` action says: records, blocks that hold earlier ones, and marks of credits among the records."""

    records: list[Record]
    blocks: list[int]
    marks: list[Mark]


def pack_record_data(records: Sequence[Record], blocks: Sequence[int] = (), marks: Sequence[Mark] = ()) -> bytes:
    """Pack `rec[] records, uint32[]$ blocks, mark[]$ marks`, always with both extensions."""
    parts = [pack_records(records), varuint_pack(len(blocks))]
    parts += [_uint_pack("block", block, 32) for block in blocks]
    parts.append(varuint_pack(len(marks)))
    parts += [_uint_pack("id", ledger_id, 64) + _hash_checked("mark", mark) for ledger_id, mark in marks]
    return b"".join(parts)


def unpack_record_data(data: bytes) -> RecordData:
    """Return what one `record` action says; the first contract's actions name no blocks and no marks."""
    reader = Reader(data)
    records = [(reader.uint(8), reader.take(32), reader.blob()) for _ in range(reader.varuint())]
    blocks = [] if reader.at_end() else [reader.uint(4) for _ in range(reader.varuint())]
    marks = [] if reader.at_end() else [(reader.uint(8), reader.take(32)) for _ in range(reader.varuint())]
    reader.end()
    return RecordData(records, blocks, marks)


def unpack_records(data: bytes) -> list[Record]:
    """Return the records of the data of one `record` action."""
    return unpack_record_data(data).records


# --- the data of eosio::updateauth ---

Level = tuple[str, str]  # an account and a permission of it


def pack_updateauth(
    account: str,
    permission: str,
    parent: str,
    public_keys: Iterable[str] = (),
    *,
    levels: Iterable[Level] = (),
    threshold: int = 1,
) -> bytes:
    """Pack `name account, name permission, name parent, authority auth`: `threshold` of these satisfy it together."""
    names = name_pack(account) + name_pack(permission) + name_pack(parent)
    return names + pack_authority(public_keys, levels=levels, threshold=threshold)


def pack_authority(public_keys: Iterable[str] = (), *, levels: Iterable[Level] = (), threshold: int = 1) -> bytes:
    """Pack an authority: `threshold` of these satisfy it together."""
    keys = sorted({public_key_pack(key) for key in public_keys})  # nodeos refuses another order
    accounts = sorted({(name_to_int(actor), name_to_int(name)) for actor, name in levels})
    weight = struct.pack("<H", 1)
    packed_keys = varuint_pack(len(keys)) + b"".join(key + weight for key in keys)
    packed_accounts = varuint_pack(len(accounts)) + b"".join(struct.pack("<QQ", *level) + weight for level in accounts)
    return struct.pack("<I", threshold) + packed_keys + packed_accounts + varuint_pack(0)


# --- transactions ---


@dataclass(frozen=True, slots=True)
class Authorization:
    actor: str
    permission: str


@dataclass(frozen=True, slots=True)
class Action:
    account: str
    name: str
    authorization: tuple[Authorization, ...]
    data: bytes

    def pack(self) -> bytes:
        """Account, name, authorization, data."""
        levels = b"".join(name_pack(level.actor) + name_pack(level.permission) for level in self.authorization)
        head = name_pack(self.account) + name_pack(self.name) + varuint_pack(len(self.authorization))
        return head + levels + bytes_pack(self.data)

    def as_json(self) -> dict[str, object]:
        """As the chain's tools describe it."""
        levels = [{"actor": level.actor, "permission": level.permission} for level in self.authorization]
        return {"account": self.account, "name": self.name, "authorization": levels, "data": self.data.hex()}

    @classmethod
    def read(cls, reader: Reader) -> "Action":
        """The inverse of `pack`."""
        account, name = reader.name(), reader.name()
        levels = tuple(Authorization(reader.name(), reader.name()) for _ in range(reader.varuint()))
        return cls(account, name, levels, reader.blob())


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction without signatures. `expiration` is an aware UTC datetime of whole seconds."""

    expiration: datetime
    ref_block_num: int  # low 16 bits of the block's number
    ref_block_prefix: int  # bytes 8 to 11 of the block's id, little-endian
    actions: tuple[Action, ...]
    max_net_usage_words: int = 0
    max_cpu_usage_ms: int = 0
    delay_sec: int = 0
    context_free_actions: tuple[Action, ...] = ()
    extensions: tuple[tuple[int, bytes], ...] = ()

    def pack(self) -> bytes:
        """The bytes that the signing digest is of; raises AntelopeError for what has no form."""
        seconds = int(self.expiration.timestamp())
        try:
            head = struct.pack("<IHI", seconds, self.ref_block_num, self.ref_block_prefix)
            head += varuint_pack(self.max_net_usage_words) + struct.pack("<B", self.max_cpu_usage_ms)
        except struct.error as error:
            raise AntelopeError(f"transaction header: {error}") from error
        lists = (self.context_free_actions, self.actions)
        body = b"".join(varuint_pack(len(actions)) + b"".join(a.pack() for a in actions) for actions in lists)
        return head + varuint_pack(self.delay_sec) + body + extensions_pack(self.extensions)

    @classmethod
    def unpack(cls, data: bytes) -> "Transaction":
        """Return the transaction of exactly these bytes."""
        reader = Reader(data)
        expiration = datetime.fromtimestamp(reader.uint(4), UTC)
        ref_block_num, ref_block_prefix = reader.uint(2), reader.uint(4)
        net, cpu, delay = reader.varuint(), reader.uint(1), reader.varuint()
        free, actions = (tuple(Action.read(reader) for _ in range(reader.varuint())) for _ in range(2))
        extensions = tuple((reader.uint(2), reader.blob()) for _ in range(reader.varuint()))
        reader.end()
        return cls(expiration, ref_block_num, ref_block_prefix, actions, net, cpu, delay, free, extensions)


def extensions_pack(extensions: Iterable[tuple[int, bytes]]) -> bytes:
    """Pack vector<pair<uint16, bytes>>, the extensions of transactions and of block headers."""
    packed = [struct.pack("<H", number) + bytes_pack(data) for number, data in extensions]
    return varuint_pack(len(packed)) + b"".join(packed)


def transaction_id(packed: bytes) -> bytes:
    """Return SHA-256 of the packed transaction (not compressed, without signatures)."""
    return sha256(packed)


def signing_digest(chain_id: bytes, packed: bytes, context_free_data: bytes = b"") -> bytes:
    """Return what is signed: SHA-256(chain id || packed transaction || SHA-256 of context-free data or 32 zeros)."""
    if len(chain_id) != 32:
        raise AntelopeError(f"chain id: expected 32 bytes, got {len(chain_id)}")
    return sha256(chain_id + packed + (sha256(context_free_data) if context_free_data else ZERO_DIGEST))


# --- keys and signatures as text ---


def _base58(text: str) -> bytes:
    try:
        return base58.decode(text)
    except base58.Base58Error as error:
        raise AntelopeError(str(error)) from error


def _checksum(data: bytes, curve: str) -> bytes:
    return ripemd160(data + curve.encode())[:4]


def _text_decode(text: str, prefix: str, size: int, curves: str = "K1|R1") -> tuple[str, bytes]:
    match = re.fullmatch(rf"{prefix}_({curves})_(\w+)", text, re.ASCII)
    if match is None:
        raise AntelopeError(f"expected {prefix}_R1_… or {prefix}_K1_…, got {text[:12]!r}")
    data = _base58(match[2])
    if match[1] != "WA" and len(data) != size + 4:
        raise AntelopeError(f"{prefix}: expected {size + 4} bytes, got {len(data)}")
    if _checksum(data[:-4], match[1]) != data[-4:]:
        raise AntelopeError(f"{prefix}: the checksum does not fit")
    return match[1], data[:-4]


def _text_encode(data: bytes, prefix: str, curve: str, size: int) -> str:
    if len(data) != size or curve not in CURVES[:2]:
        raise AntelopeError(f"{prefix}_{curve}: expected {size} bytes of R1 or K1, got {len(data)}")
    return f"{prefix}_{curve}_{base58.encode(data + _checksum(data, curve))}"


def public_key_encode(data: bytes, curve: str = "R1") -> str:
    """Return PUB_R1_… of a compressed point (33 bytes)."""
    return _text_encode(data, "PUB", curve, 33)


def public_key_decode(text: str) -> tuple[str, bytes]:
    """Return ("R1" or "K1", compressed point of 33 bytes) of PUB_R1_…, PUB_K1_… or the old EOS… form."""
    if not text.startswith("EOS"):
        return _text_decode(text, "PUB", 33)
    data = _base58(text[3:])
    if len(data) != 37 or ripemd160(data[:-4])[:4] != data[-4:]:
        raise AntelopeError("EOS…: expected a key of 33 bytes and its checksum")
    return "K1", data[:-4]


def signature_encode(data: bytes, curve: str = "R1") -> str:
    """Return SIG_R1_… of (31 + recovery id) || r || s (65 bytes)."""
    return _text_encode(data, "SIG", curve, 65)


def signature_decode(text: str) -> tuple[str, bytes]:
    """Return ("R1", "K1" or "WA", (31 + recovery id) || r || s) of SIG_R1_…, SIG_K1_…, or SIG_WA_…, which has more."""
    return _text_decode(text, "SIG", 65, "K1|R1|WA")


def signature_pack(text: str) -> bytes:
    """Return a signature as it stands in a packed transaction: type byte and 65 bytes (more for WebAuthn)."""
    curve, data = signature_decode(text)
    return bytes([CURVES.index(curve)]) + data


def public_key_pack(text: str) -> bytes:
    """34 bytes: the curve's number and the compressed point."""
    curve, data = public_key_decode(text)
    return bytes([CURVES.index(curve)]) + data


def ripemd160(data: bytes) -> bytes:
    """Return RIPEMD-160. OpenSSL 3.0.0 to 3.0.6 has none; Debian 12 and all later releases have it."""
    return hashlib.new("ripemd160", data, usedforsecurity=False).digest()
