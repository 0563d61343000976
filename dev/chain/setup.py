"""A development chain of our own: its genesis, the ledger contract, and the permissions of its account.

`bootstrap` brings a fresh chain to the state that ledger/ expects, and one that is there already, quickly, to itself.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dev.chain.keys import KeyPair, Signer, new_keypair
from dev.chain.nodeos import REPOSITORY, contracts_dir
from dev.chain.transactions import (
    Action,
    ChainError,
    call,
    pack_abi,
    pack_authority,
    pack_bytes,
    pack_name,
    push_actions,
)
from dev.common.files import replace
from dev.common.processes import wait_until
from ledger.chain import antelope

__all__ = ["Action", "ChainError", "KeyPair", "bootstrap", "new_keypair", "push_actions", "write_genesis"]

CONTRACT_DIR = REPOSITORY / "ledger" / "contract"
SYSTEM = "eosio"
ACCOUNT = "evledger"
# Names of actions, and of the permissions that may do them and nothing else
RECORD, PRUNE = "record", "prune"
NULL = ("eosio.null", "active")  # the chain's own account that no key satisfies
NOBODY = "@".join(NULL)
CODE_HASH, CODE_UPDATED = "EVPORTAL_LEDGER_CODE_HASH", "EVPORTAL_LEDGER_CODE_UPDATED"
UNKNOWN_ACCOUNT = {0, 3060002, 3060003}  # nodeos has several words for an account that is not there
WAIT_S = 20
PREACTIVATE_FEATURE = "0ec7e080177b2c02b278d5088611686b49d739925a92d9bfcacd7fc6b74053bd"

# As Antelope's defaults, but larger: 200 sealed records are about 100 kB of net in one transaction.
CHAIN_CONFIGURATION = {
    "max_block_net_usage": 4 * 1024 * 1024,
    "target_block_net_usage_pct": 1000,
    "max_transaction_net_usage": 1024 * 1024,
    "base_per_transaction_net_usage": 12,
    "net_usage_leeway": 500,
    "context_free_discount_net_usage_num": 20,
    "context_free_discount_net_usage_den": 100,
    "max_block_cpu_usage": 400_000,
    "target_block_cpu_usage_pct": 2000,
    "max_transaction_cpu_usage": 350_000,
    "min_transaction_cpu_usage": 100,
    "max_transaction_lifetime": 3600,
    "deferred_trx_expiration_window": 600,
    "max_transaction_delay": 3_888_000,
    "max_inline_action_size": 512 * 1024,
    "max_inline_action_depth": 4,
    "max_authority_depth": 6,
}


def write_genesis(path: Path, public_key: str, *, timestamp: datetime | None = None) -> None:
    """Write the genesis of a new chain whose producer `eosio` has this key; key and time make its chain id its own."""
    moment = timestamp or datetime.now(UTC) - timedelta(seconds=2)
    genesis = {
        "initial_timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.000"),
        "initial_key": public_key,
        "initial_configuration": CHAIN_CONFIGURATION,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, json.dumps(genesis, indent=2) + "\n", mode=0o644)


def bootstrap(
    url: str,
    *,
    producer_key: KeyPair,
    owner_key: KeyPair,
    active_key: KeyPair,
    record_public_key: str,
    rotated_public_keys: Sequence[str] = (),
    prune_public_key: str = "",
    account: str = ACCOUNT,
    contract_dir: Path = CONTRACT_DIR,
    bios_dir: Path | None = None,
    give_away: bool = False,
    wait: bool = True,
) -> None:
    """Bring the chain behind `url` (the producer, with its producer API) to the state that the ledger needs.

    Every step first looks what is there, so that a second run changes nothing and an interrupted one is finished. A
    `record` permission without `record_public_key` gets it as its only key, unless it holds one of
    `rotated_public_keys`, those of the same TPM. The permission `prune` gets `prune_public_key`, without one that of
    active. With `give_away` owner and active go to nobody at last: the contract stays as it is from then on, for ever,
    and a later run that would have to change something raises ChainError. Returns when all is irreversible, without
    `wait` when it is executed; raises ChainError.
    """
    _activate_system(url, producer_key, bios_dir or contracts_dir() / "eosio.bios")
    if _account(url, account) is None:
        creation = _new_account(account, owner=owner_key.public, active=active_key.public)
        push_actions(url, [creation], [producer_key])
    actions = _contract_actions(url, account, contract_dir)
    actions += _permission_actions(url, account, RECORD, [record_public_key, *rotated_public_keys])
    actions += _permission_actions(url, account, PRUNE, [prune_public_key or active_key.public])
    given = _is_given_away(url, account)
    if actions and given:
        names = ", ".join(action.name for action in actions)
        raise ChainError(
            0, f"{account} was given away, nobody can change it any more; missing: {names}. Begin a new chain"
        )
    if actions:
        push_actions(url, actions, [active_key])
    if give_away and not given:
        push_actions(url, _giving_away(account), [owner_key])
    if (actions or (give_away and not given)) and wait:
        _wait_irreversible(url)


def _is_given_away(url: str, account: str) -> bool:
    there = _account(url, account) or {"permissions": []}
    held = {entry["perm_name"]: entry["required_auth"]["accounts"] for entry in there["permissions"]}
    return any(item["permission"]["actor"] == NULL[0] for item in held.get("active", []))


def _giving_away(account: str) -> list[Action]:
    """By account@owner: active and owner to nobody, in one transaction."""
    parents = {"active": "owner", "owner": ""}
    both = [antelope.pack_updateauth(account, name, parent, levels=[NULL]) for name, parent in parents.items()]
    return [Action(SYSTEM, "updateauth", data, f"{account}@owner") for data in both]


def update_auth(account: str, permission: str, public_keys: Sequence[str], *, parent: str = "active") -> Action:
    """The action, by account@active, that makes `permission` satisfied by any one of these keys (two: a rotation)."""
    data = antelope.pack_updateauth(account, permission, parent, public_keys)
    return Action(SYSTEM, "updateauth", data, f"{account}@active")


def link_auth(account: str, code: str, action: str, permission: str) -> Action:
    """The action, by account@active, that lets `permission` do `code::action`."""
    names = pack_name(account) + pack_name(code) + pack_name(action) + pack_name(permission)
    return Action(SYSTEM, "linkauth", names, f"{account}@active")


def set_code(account: str, wasm: bytes) -> Action:
    """The action, by account@active, that makes `wasm` the account's contract."""
    return Action(SYSTEM, "setcode", pack_name(account) + bytes(2) + pack_bytes(wasm), f"{account}@active")


def set_abi(account: str, abi: bytes) -> Action:
    """The action, by account@active, that makes the packed `abi` the account's interface."""
    return Action(SYSTEM, "setabi", pack_name(account) + pack_bytes(abi), f"{account}@active")


def create_account(url: str, name: str, *, producer_key: Signer, public_key: str) -> None:
    """Create an account whose owner and active permissions have one key; raises ChainError when it exists."""
    push_actions(url, [_new_account(name, owner=public_key, active=public_key)], [producer_key])


def _new_account(name: str, *, owner: str, active: str) -> Action:
    names = pack_name(SYSTEM) + pack_name(name)
    return Action(SYSTEM, "newaccount", names + pack_authority([owner]) + pack_authority([active]), f"{SYSTEM}@active")


def _activate_system(url: str, producer_key: Signer, bios_dir: Path) -> None:
    activated = _activated_features(url)
    if PREACTIVATE_FEATURE not in activated:
        features = {"protocol_features_to_activate": [PREACTIVATE_FEATURE]}
        call(url, "producer/schedule_protocol_feature_activations", features)
        _wait_until(lambda: PREACTIVATE_FEATURE in _activated_features(url), "the first protocol feature")
    actions = _contract_actions(url, SYSTEM, bios_dir)
    if actions:
        push_actions(url, actions, [producer_key])
    missing = [feature for feature in _supported_features(url) if feature not in activated | {PREACTIVATE_FEATURE}]
    if missing:
        activations = [Action(SYSTEM, "activate", bytes.fromhex(feature), f"{SYSTEM}@active") for feature in missing]
        push_actions(url, activations, [producer_key])
        _wait_until(lambda: set(missing) <= _activated_features(url), "the protocol features")


def _activated_features(url: str) -> set[str]:
    answer = call(url, "chain/get_activated_protocol_features", {"limit": 100})
    return {feature["feature_digest"] for feature in answer["activated_protocol_features"]}


def _supported_features(url: str) -> list[str]:
    """All features that the node knows, each after those that it depends on."""
    features = call(url, "producer/get_supported_protocol_features")
    ordered: list[str] = []
    while len(ordered) < len(features):
        ordered += [
            feature["feature_digest"]
            for feature in features
            if feature["feature_digest"] not in ordered and set(feature["dependencies"]) <= set(ordered)
        ]
    return ordered


def _contract_actions(url: str, account: str, contract_dir: Path) -> list[Action]:
    """What is left to do until the account has the contract of this directory."""
    wasm = next(contract_dir.glob("*.wasm")).read_bytes()
    abi = pack_abi(json.loads(next(contract_dir.glob("*.abi")).read_text()))
    there = call(url, "chain/get_raw_abi", {"account_name": account})
    actions = []
    if there["code_hash"] != hashlib.sha256(wasm).hexdigest():
        actions.append(set_code(account, wasm))
    if there["abi_hash"] != hashlib.sha256(abi).hexdigest():
        actions.append(set_abi(account, abi))
    return actions


def record_keys(url: str, account: str = ACCOUNT) -> list[str]:
    """The keys of the account's `record` permission, any of which may record (PUB_R1_…)."""
    there = _account(url, account) or {"permissions": []}
    found = [entry["required_auth"]["keys"] for entry in there["permissions"] if entry["perm_name"] == RECORD]
    return [key["key"] for keys in found for key in keys]


def contract_pins(url: str, before: Mapping[str, str], account: str = ACCOUNT) -> dict[str, str]:
    """The settings that pin the contract: its code, and when that was last changed.

    Those from `before` stay as long as they are of the code that is there: whoever takes the contract away and puts it
    back is to be seen.
    """
    code = str(call(url, "chain/get_code_hash", {"account_name": account})["code_hash"])
    updated = str(call(url, "chain/get_account", {"account_name": account})["last_code_update"])
    if before.get(CODE_HASH) == code:
        updated = before.get(CODE_UPDATED) or updated
    return {CODE_HASH: code, CODE_UPDATED: updated}


def _permission_actions(url: str, account: str, name: str, public_keys: Sequence[str]) -> list[Action]:
    """What is left to do until the permission of this action has one of these keys (else the first) and may do it."""
    there = _account(url, account)
    permissions = {} if there is None else {entry["perm_name"]: entry for entry in there["permissions"]}
    permission = permissions.get(name, {"required_auth": {"keys": []}, "linked_actions": []})
    keys = {antelope.public_key_pack(entry["key"]) for entry in permission["required_auth"]["keys"]}
    actions = []
    if not keys & {antelope.public_key_pack(key) for key in public_keys}:
        actions.append(update_auth(account, name, public_keys[:1]))
    if {"account": account, "action": name} not in permission["linked_actions"]:
        actions.append(link_auth(account, account, name, name))
    return actions


def _account(url: str, name: str) -> dict[str, Any] | None:
    try:
        account: dict[str, Any] = call(url, "chain/get_account", {"account_name": name})
    except ChainError as error:
        if error.code in UNKNOWN_ACCOUNT and "unknown key" in error.message:
            return None
        raise
    return account


def _wait_irreversible(url: str) -> None:
    block = call(url, "chain/get_info")["head_block_num"] + 1  # what was pushed just now goes into the next block
    _wait_until(lambda: call(url, "chain/get_info")["last_irreversible_block_num"] >= block, f"LIB at {block}")


def _wait_until(check: Callable[[], bool], what: str) -> None:
    if not wait_until(check, WAIT_S, poll_s=0.05):
        raise ChainError(0, f"expected {what} within {WAIT_S} s, it did not come")
