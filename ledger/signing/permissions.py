"""The alarm on the chain account: the TPM's key may only record, but it can change its own permission (Antelope's
updateauth asks no more than the permission that is changed). So the account is compared with what was pinned, and so is
the contract: whoever holds owner or active could replace it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings

from ledger.alerts import alert_close, alert_raise
from ledger.chain.antelope import AntelopeError, public_key_decode
from ledger.chain.node import chain
from ledger.errors import ChainError
from ledger.signing import keys as signing_keys
from ledger.signing.signer import signer

LINKED = ("record", "prune")  # permissions that may do the action of their name, and nothing else
CONTRACT = settings.BASE_DIR / "ledger" / "contract"


def check() -> list[str]:
    """Compare now; returns what differs, and opens or closes the alerts."""
    account = chain().account_info()
    # Keys are rotated step by step: between reading what is expected and what is there, a step may have been taken.
    found = _differences() and _differences()
    _alert("permission_changed", found)
    contract = list(contract_differences(account))
    _alert("contract_changed", contract)
    elsewhere = key_elsewhere()
    _alert("key_elsewhere", elsewhere)
    return [*found, *contract, *elsewhere]


def _alert(code: str, found: Sequence[str]) -> None:
    if found:
        alert_raise(code, message="; ".join(found))
    else:
        alert_close(code)


def record_keys() -> list[frozenset[str]]:
    """The sets of keys that `record` may have now; each key of a set does alone."""
    return list(signing_keys.permitted_keys(signer().to_public()))


def _differences() -> list[str]:
    expected = record_keys()  # before the account is read
    return list(differences(chain().account_info(), record_keys=expected))


# --- permissions


def differences(account: Mapping[str, Any], *, record_keys: Sequence[frozenset[str]]) -> Iterator[str]:
    """What of get_account's answer differs from the pinned authorities and the linked actions.

    `record_keys` are those of the function of this name.
    """
    pinned = {
        "owner": settings.LEDGER_OWNER_KEY,
        "active": settings.LEDGER_ACTIVE_KEY,
        "prune": settings.LEDGER_PRUNE_KEY,
        "record": "",
    }
    found = {permission["perm_name"]: permission for permission in account["permissions"]}
    for name in sorted(found.keys() - pinned.keys()):
        yield f"permission {name} is new"
    for name, expected in pinned.items():
        if name not in found:
            yield f"permission {name} is gone"
        elif expected and not is_pinned(found[name]["required_auth"], expected):
            yield f"permission {name}: expected only {expected}, got {keys_of(found[name]['required_auth'])}"
    if "record" in found:
        yield from record_differences(found["record"]["required_auth"], record_keys)
    for name in LINKED:
        links = [(i.get("account"), i.get("action")) for i in found.get(name, {}).get("linked_actions") or []]
        only = [(settings.LEDGER_ACCOUNT, name)]
        if name in found and links != only:
            yield f"{name} is linked to {links}, expected {only}"


def record_differences(authority: Mapping[str, Any], record_keys: Sequence[frozenset[str]]) -> Iterator[str]:
    if not any(has_only(authority, keys) for keys in record_keys):
        expected = " or ".join(" and ".join(sorted(keys)) for keys in record_keys)
        yield f"permission record: expected only {expected}, got {keys_of(authority)}"


def is_pinned(authority: Mapping[str, Any], pinned: str) -> bool:
    """Is the authority what the setting says: a key, or accounts' permissions ("a@active+b@active": all together)?"""
    levels = set(pinned.split("+"))
    if "@" not in pinned:
        return has_only(authority, frozenset({pinned}))
    found = [f"{item['permission']['actor']}@{item['permission']['permission']}" for item in authority["accounts"]]
    alone = not authority["keys"] and not authority["waits"] and all(i["weight"] == 1 for i in authority["accounts"])
    return bool(alone) and set(found) == levels and authority["threshold"] == len(levels) == len(found)


def has_only(authority: Mapping[str, Any], keys: frozenset[str]) -> bool:
    """Is the authority satisfied by each of these keys alone, and by nothing else?"""
    alone = not authority["accounts"] and not authority["waits"] and authority["threshold"] == 1
    found = [_decoded(item["key"]) for item in authority["keys"]]
    return alone and len(found) == len(keys) and set(found) == {_decoded(key) for key in keys}


def _decoded(key: str) -> tuple[str, bytes] | str:
    """EOS… and PUB_K1_… are two spellings of one key."""
    try:
        return public_key_decode(key)
    except AntelopeError:
        return key


def keys_of(authority: Mapping[str, Any]) -> str:
    """The authority in words."""
    levels = [f"{item['permission']['actor']}@{item['permission']['permission']}" for item in authority["accounts"]]
    held = ", ".join([*(str(item["key"]) for item in authority["keys"]), *levels])
    return f"{held or 'no key'} (threshold {authority['threshold']}, {len(levels)} accounts)"


# --- the contract


def contract_differences(account: Mapping[str, Any]) -> Iterator[str]:
    """What of the contract differs from what is published; `account` is get_account's answer."""
    code_hash = chain().read("get_code_hash", {"account_name": settings.LEDGER_ACCOUNT})["code_hash"]
    if code_hash != settings.LEDGER_CODE_HASH:
        yield f"the contract's code: expected {settings.LEDGER_CODE_HASH}, got {code_hash}"
    if settings.LEDGER_CODE_UPDATED not in ("", account["last_code_update"]):
        yield f"the contract was changed at {account['last_code_update']}, published is {settings.LEDGER_CODE_UPDATED}"
    shipped = json.loads((CONTRACT / "evledger.abi").read_text())
    abi = chain().read("get_abi", {"account_name": settings.LEDGER_ACCOUNT}).get("abi") or {}
    other = sorted(name for name in abi.keys() | shipped.keys() if (abi.get(name) or []) != (shipped.get(name) or []))
    if other:
        yield f"the contract's interface (ABI) differs from the shipped one: {', '.join(other)}"


def key_elsewhere() -> list[str]:
    """Which permissions of other accounts hold a signing key of ours; nothing where the node does not tell."""
    keys = sorted(frozenset[str]().union(*record_keys()))
    try:
        found = chain().read("get_accounts_by_authorizers", {"accounts": [], "keys": keys})["accounts"]
    except (ChainError, KeyError):
        return []  # a node answers this only with enable-account-queries
    others = [item for item in found if item["account_name"] != settings.LEDGER_ACCOUNT]
    return [f"{i['account_name']}@{i['permission_name']} holds our key {i['authorizing_key']}" for i in others]
