"""Actions of the development chain: packed, signed and pushed without help of the node's own (de)serialiser.

Used by dev/chain/setup.py and by the tests that need actions which the portal never sends: system actions, foreign
authority, broken data. The portal's own way to the chain is ledger/chain/node.py.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx2

from dev.chain.keys import Signer
from ledger.chain import antelope

TIMEOUT_S = 30.0
EXPIRATION_S = 60
varuint, pack_bytes, pack_name = antelope.varuint_pack, antelope.bytes_pack, antelope.name_pack
pack_authority = antelope.pack_authority
_nonces = itertools.count()
# one client: making its TLS context takes 40 ms; no connection is kept, because nodes are restarted under our feet
_client = httpx2.Client(timeout=TIMEOUT_S, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0))


class ChainError(RuntimeError):
    """The node refused: `code` is its error code (3050003 for a failed eosio_assert), 0 when it gave none."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @classmethod
    def from_response(cls, path: str, response: httpx2.Response) -> Self:
        try:
            error = response.json()["error"]
        except (ValueError, KeyError):
            return cls(0, f"{path}: HTTP {response.status_code}: {response.text[:200]}")
        details = "; ".join(detail["message"] for detail in error.get("details", []))
        return cls(error["code"], f"{path}: {error['what']}: {details}")


@dataclass(frozen=True)
class Action:
    """One action: `data` is packed already; `authorization` is "actor@permission"."""

    account: str
    name: str
    data: bytes
    authorization: str

    @property
    def whole(self) -> antelope.Action:
        actor, permission = self.authorization.split("@")
        return antelope.Action(self.account, self.name, (antelope.Authorization(actor, permission),), self.data)


def call(url: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """POST to the node's API, for example `call(url, "chain/get_info")`; raises ChainError when it refuses."""
    try:
        response = _client.post(f"{url}/v1/{path}", json=body or {})
    except httpx2.HTTPError as error:
        raise ChainError(0, f"{path}: {error}") from error
    if response.is_error:
        raise ChainError.from_response(path, response)
    return response.json()


def push_actions(url: str, actions: Sequence[Action], keys: Sequence[Signer]) -> dict[str, Any]:
    """Push one transaction with these actions, signed by each key, and return nodeos' trace of its execution.

    Each call makes another transaction, also with the same actions. Raises ChainError when the chain refuses it.
    """
    info = call(url, "chain/get_info")
    packed = pack_transaction(info, actions)
    digest = antelope.signing_digest(bytes.fromhex(info["chain_id"]), packed)
    body = {
        "signatures": [key.sign(digest) for key in keys],
        "compression": 0,
        "packed_context_free_data": "",
        "packed_trx": packed.hex(),
    }
    trace: dict[str, Any] = call(url, "chain/send_transaction", body)["processed"]
    return trace


def pack_transaction(info: Mapping[str, Any], actions: Sequence[Action]) -> bytes:
    """Pack a transaction that refers to the last irreversible block of `info` (get_info's answer)."""
    reference = bytes.fromhex(info["last_irreversible_block_id"])
    head_time = datetime.fromisoformat(info["head_block_time"]).replace(tzinfo=UTC, microsecond=0)
    # a different expiration each time, or the same action twice would be the same transaction
    expiration = head_time + timedelta(seconds=EXPIRATION_S + next(_nonces) % 600)
    block = int.from_bytes(reference[2:4]), int.from_bytes(reference[8:12], "little")
    return antelope.Transaction(expiration, *block, tuple(action.whole for action in actions)).pack()


def pack_string(text: str) -> bytes:
    return pack_bytes(text.encode())


def pack_list(items: Iterable[bytes]) -> bytes:
    packed = list(items)
    return varuint(len(packed)) + b"".join(packed)


def pack_abi(abi: Mapping[str, Any]) -> bytes:
    """Pack a JSON ABI of version 1.1 or 1.2 as `setabi` wants it."""
    texts = pack_string(abi["version"])
    types = pack_list(pack_string(t["new_type_name"]) + pack_string(t["type"]) for t in abi["types"])
    structs = pack_list(_pack_struct(s) for s in abi["structs"])
    actions = pack_list(
        pack_name(a["name"]) + pack_string(a["type"]) + pack_string(a["ricardian_contract"]) for a in abi["actions"]
    )
    tables = pack_list(_pack_table(t) for t in abi["tables"])
    clauses = pack_list(pack_string(c["id"]) + pack_string(c["body"]) for c in abi["ricardian_clauses"])
    variants = pack_list(
        pack_string(v["name"]) + pack_list(pack_string(t) for t in v["types"]) for v in abi.get("variants", [])
    )
    return texts + types + structs + actions + tables + clauses + varuint(0) + varuint(0) + variants


def _pack_struct(struct_: Mapping[str, Any]) -> bytes:
    fields = pack_list(pack_string(f["name"]) + pack_string(f["type"]) for f in struct_["fields"])
    return pack_string(struct_["name"]) + pack_string(struct_["base"]) + fields


def _pack_table(table: Mapping[str, Any]) -> bytes:
    names = pack_list(pack_string(n) for n in table["key_names"])
    types = pack_list(pack_string(t) for t in table["key_types"])
    return pack_name(table["name"]) + pack_string(table["index_type"]) + names + types + pack_string(table["type"])
