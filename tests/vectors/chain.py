"""A small world for the vectors: keys, transactions, blocks and what honest nodes answer."""

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from dev.chain.keys import CURVES, KeyPair
from ledger.chain import antelope
from ledger.chain import block as blocks
from ledger.chain.antelope import Action, Authorization, Transaction, sha256, varuint_pack
from tests.ledger.receipts.receipt_chain import RECORD
from tests.ledger.soft_tpm import AK, SoftTpm
from tpm import base58

Json = dict[str, Any]
ACCOUNT, LEDGER_ID, CREDIT_ID, FLOOR, BLOCK_NUM = "evledger", 1869, 1912, 1500, 4711
CHAIN_ID = sha256(b"chain").hex()
SALT = sha256(b"salt")
CODE_HASH, CODE_UPDATED = sha256(b"contract").hex(), "2026-02-01T10:00:00.500"
URLS = ("http://127.0.0.2:8888", "http://127.0.0.3:8888")


@dataclass(frozen=True)
class Key:
    """A P-256 key of a fixed number, which signs the same way each time (RFC 6979)."""

    secret: int

    @property
    def _private(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.secret, ec.SECP256R1())

    @property
    def public(self) -> str:
        point = self._private.public_key().public_numbers()
        return antelope.public_key_encode(bytes([2 | point.y & 1]) + point.x.to_bytes(32))

    def sign(self, digest: bytes) -> str:
        order = CURVES["R1"].group_order
        der = self._private.sign(digest, ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        s = min(s, order - s)
        nonce = (int.from_bytes(digest) + r * self.secret) * pow(s, -1, order) % order
        point = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers()
        return antelope.signature_encode(bytes([31 + (point.y & 1)]) + r.to_bytes(32) + s.to_bytes(32))


KEY, STRANGER = Key(0xC0FFEE), Key(0xBADC0DE)


class SameTpm(SoftTpm):
    """An AK that signs the same way each time."""

    def sign(self, message: bytes) -> bytes:
        return self.ak.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))


TPM, OTHER_TPM = (SameTpm(ak=ec.derive_private_key(n, ec.SECP256R1()), ak_attributes=AK) for n in (77, 78))


def certification(tpm: SoftTpm = TPM, key: Key = KEY) -> Json:
    return dict(tpm.certification(KeyPair("", key.public)))


def other_signature(kind: str) -> str:
    """A signature of another curve, as others' keys make them; nobody here can check it."""
    if kind == "K1":
        return antelope.signature_encode(b"\x1f" + sha256(b"r") + sha256(b"s"), "K1")
    data = b"\x1f" + sha256(b"r") + sha256(b"s") + antelope.bytes_pack(bytes(37)) + antelope.bytes_pack(b'{"type":1}')
    return f"SIG_WA_{base58.encode(data + antelope.ripemd160(data + b'WA')[:4])}"


# --- transactions


def digest_of(record: Json = RECORD, salt: bytes = SALT) -> bytes:
    return sha256(salt + rfc8785.dumps(record))


def mark(salt: bytes = SALT, digest: bytes | None = None) -> str:
    return sha256(b"evportal-credit/1" + salt + (digest or digest_of())).hex()


def record_data(
    records: Sequence[tuple[int, bytes]], blocks: Sequence[int] | None = None, marks: Sequence[Any] | None = None
) -> bytes:
    """The data of `record`: of the first contract (no `blocks`), or with one or both of the later lists."""
    data = antelope.pack_records([(number, digest, b"sealed copy") for number, digest in records])
    if blocks is not None:
        data += varuint_pack(len(blocks)) + b"".join(number.to_bytes(4, "little") for number in blocks)
    if marks is not None:
        data += varuint_pack(len(marks)) + b"".join(number.to_bytes(8, "little") + value for number, value in marks)
    return data


def action(data: bytes, *, account: str = ACCOUNT, name: str = "record") -> Action:
    return Action(account, name, (Authorization(account, "record"),), data)


OTHER_RECORD = (LEDGER_ID - 1, sha256(b"other"))
MINE = (LEDGER_ID, digest_of())


def transaction(*actions: Action, free: Sequence[Action] = (), extensions: Sequence[tuple[int, bytes]] = ()) -> bytes:
    return Transaction(
        expiration=datetime(2026, 3, 1, 9, tzinfo=UTC),
        ref_block_num=4000,
        ref_block_prefix=0xDEADBEEF,
        actions=actions or (action(record_data([OTHER_RECORD, MINE], [4600], [])),),
        context_free_actions=tuple(free),
        extensions=tuple(extensions),
    ).pack()


def signature_of(packed: bytes, key: Key = KEY, chain_id: str = CHAIN_ID) -> str:
    return key.sign(sha256(bytes.fromhex(chain_id) + packed + bytes(32)))


def entry(
    packed: bytes, *, signatures: Sequence[str] | None = None, status: str = "executed", zipped: bool = False
) -> Json:
    """One entry of a block's `transactions`."""
    trx = {
        "signatures": list([signature_of(packed)] if signatures is None else signatures),
        "compression": "zlib" if zipped else "none",
        "packed_context_free_data": "",
        "packed_trx": (zlib.compress(packed) if zipped else packed).hex(),
    }
    return {"status": status, "cpu_usage_us": 628, "net_usage_words": 57, "trx": [1, trx]}


def deferred(number: int = 1) -> Json:
    return {"status": "executed", "cpu_usage_us": 628, "net_usage_words": 0, "trx": [0, sha256(bytes([number])).hex()]}


STRANGERS = transaction(action(b"hello", account="alice", name="greet"))


# --- blocks


def block(*entries: Json, **header: Any) -> Json:
    """A block as get_raw_block gives it, its root that of these entries; `header` sets members, also the root."""
    content: Json = {
        "timestamp": "2026-03-01T08:00:00.500",
        "producer": "eosio",
        "confirmed": 0,
        "previous": f"{BLOCK_NUM - 1:08x}" + sha256(b"previous").hex()[8:],
        "transaction_mroot": "",
        "action_mroot": sha256(b"actions").hex(),
        "schedule_version": 1,
        "new_producers": None,
        "header_extensions": [],
        "producer_signature": other_signature("K1"),
        "transactions": list(entries),
        "block_extensions": [],
        **header,
    }
    root = content["transaction_mroot"] or blocks.transaction_root(content).hex()
    return {**content, "transaction_mroot": root}


# --- what nodes answer


@dataclass(frozen=True)
class Answer:
    """What a node says to one question."""

    call: str
    body: Json
    content: bytes
    status: int = 200


def answer(call: str, body: Json, content: Any, status: int = 200) -> Answer:
    return Answer(call, body, json.dumps(content, separators=(",", ":")).encode(), status)


NOBODY = {"threshold": 1, "keys": [], "waits": []}
NULL = {"permission": {"actor": "eosio.null", "permission": "active"}, "weight": 1}


def permission(name: str, parent: str, *, keys: int = 0, accounts: Any = (), links: Any = (), waits: int = 0) -> Json:
    key = {"key": STRANGER.public, "weight": 1}
    authority = {"threshold": 1, "keys": [key] * keys, "accounts": list(accounts)}
    authority["waits"] = [{"wait_sec": 10, "weight": 1}] * waits
    linked = [{"account": account, **({"action": act} if act else {})} for account, act in links]
    return {"perm_name": name, "parent": parent, "required_auth": authority, "linked_actions": linked}


RECORD_PERMISSION = permission("record", "active", keys=1, links=[(ACCOUNT, "record")])
GIVEN_AWAY = [
    permission("active", "owner", accounts=[NULL]),
    permission("owner", "", accounts=[NULL]),
    permission("prune", "active", keys=1, links=[(ACCOUNT, "prune")]),
    RECORD_PERMISSION,
]
KEPT = [permission("active", "owner", keys=1), permission("owner", "", keys=1), RECORD_PERMISSION]


@dataclass(frozen=True)
class World:
    """What is true: one recorded session, its block and the contract. `receipt` and `answers` follow from it."""

    record: Json = field(default_factory=lambda: RECORD)
    salt: bytes = SALT
    account: str = ACCOUNT
    ledger_id: int = LEDGER_ID
    packed: bytes = field(default_factory=transaction)
    entries: Sequence[Json] | None = None  # by default a stranger's and ours
    header: Mapping[str, Any] = field(default_factory=dict)
    lib: int = BLOCK_NUM + 3
    producers: int = 21
    row: bool = True
    floor: Any = FLOOR
    credit: int | None = None
    code_hash: str = CODE_HASH
    code_updated: str = CODE_UPDATED
    permissions: Sequence[Json] = field(default_factory=lambda: GIVEN_AWAY)
    any_links: Sequence[Json] = ()
    key: Key = KEY

    @property
    def digest(self) -> bytes:
        return digest_of(self.record, self.salt)

    @property
    def block(self) -> Json:
        entries = [entry(STRANGERS), entry(self.packed)] if self.entries is None else self.entries
        return block(*entries, **self.header)

    def receipt(self, **changed: Any) -> Json:
        """Of /1; with credited_by of /2."""
        content = {
            "format": f"evportal-receipt/{2 if 'credited_by' in changed else 1}",
            "record": self.record,
            "salt": self.salt.hex(),
            "digest": self.digest.hex(),
            "ledger_id": str(self.ledger_id),
            "chain_id": CHAIN_ID,
            "account": self.account,
            "transaction_id": sha256(self.packed).hex(),
            "block_num": BLOCK_NUM,
            "block_id": blocks.block_id(self.block).hex(),
            "public_key": self.key.public,
            "attestation": None,
            "signed_meter_values": [],
        }
        return {**content, **changed}

    def answers(self) -> dict[str, Answer]:
        """Those of an honest node, by short names; only what a verifier asks."""
        return {found.name: found.answer for found in _answers(self)}

    def but(self, **changed: Any) -> "World":
        return replace(self, **changed)


@dataclass(frozen=True)
class _Named:
    name: str
    answer: Answer


def table(account: str, name: str, **bounds: Any) -> Json:
    return {"code": account, "scope": account, "table": name, "json": True, "limit": 1, **bounds}


def _answers(world: World) -> list[_Named]:
    account, named = world.account, {"account_name": world.account}
    info = {"server_version": "abcd", "chain_id": CHAIN_ID, "head_block_num": world.lib + 2}
    info["last_irreversible_block_num"] = world.lib
    producers = [{"producer_name": f"prod{chr(97 + n)}", "authority": []} for n in range(world.producers)]
    bound = str(world.ledger_id)
    rows = [{"id": world.ledger_id, "digest": world.digest.hex()}] if world.row else []
    marked = mark(world.salt, world.digest)
    marks = [{"id": world.credit, "mark": marked}] if world.credit else []
    key = {"index_position": "2", "key_type": "sha256", "lower_bound": marked, "upper_bound": marked}
    state = {"floor": world.floor, "count": 400, "last": 1920, "since": 1, "heads": []}
    told = {"last_code_update": world.code_updated, "permissions": world.permissions}
    call = "get_table_rows"
    return [
        _Named("info", answer("get_info", {}, info)),
        _Named("schedule", answer("get_producer_schedule", {}, {"active": {"version": 1, "producers": producers}})),
        _Named("block", answer("get_raw_block", {"block_num_or_id": BLOCK_NUM}, world.block)),
        _Named("row", answer(call, table(account, "records", lower_bound=bound, upper_bound=bound), _rows(rows))),
        _Named("state", answer(call, table(account, "state"), _rows([state]))),
        _Named("marks", answer(call, table(account, "marks", **key), _rows(marks))),
        _Named("code", answer("get_code_hash", named, {**named, "code_hash": world.code_hash})),
        _Named("account", answer("get_account", named, {**named, **told, "eosio_any_linked_actions": world.any_links})),
    ]


def _rows(rows: list[Json]) -> Json:
    return {"rows": rows, "more": False, "next_key": ""}


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
