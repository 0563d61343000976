"""The alarm on the chain account: the TPM's key may only record, but it can change its own permission (Antelope's
updateauth asks no more than the permission that is changed). So the account is compared with what was pinned."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings

from ledger import signing_keys
from ledger.alerts import alert_close, alert_raise
from ledger.antelope import AntelopeError, public_key_decode
from ledger.chain import chain
from ledger.signer import signer

LINKED = ("record", "prune")  # permissions that may do the action of their name, and nothing else


def check() -> list[str]:
    """Compare now; returns what differs, and opens or closes the alert."""
    # Keys are rotated step by step: between reading what is expected and what is there, a step may have been taken.
    found = _differences() and _differences()
    if found:
        alert_raise("permission_changed", message="; ".join(found))
    else:
        alert_close("permission_changed")
    return found


def _differences() -> list[str]:
    record_keys = signing_keys.permitted_keys(signer().to_public())
    return list(differences(chain().account_info(), record_keys=record_keys))


def differences(account: dict[str, Any], *, record_keys: Sequence[frozenset[str]]) -> Iterator[str]:
    """What of get_account's answer differs from the pinned keys and the one linked action.

    `record_keys` are the sets of keys that `record` may have; each key of a set does alone.
    """
    pinned = {
        "owner": [frozenset({settings.LEDGER_OWNER_KEY})] if settings.LEDGER_OWNER_KEY else [],
        "active": [frozenset({settings.LEDGER_ACTIVE_KEY})] if settings.LEDGER_ACTIVE_KEY else [],
        "record": record_keys,
        "prune": [frozenset({settings.LEDGER_PRUNE_KEY})] if settings.LEDGER_PRUNE_KEY else [],
    }
    found = {permission["perm_name"]: permission for permission in account["permissions"]}
    for name in sorted(found.keys() - pinned.keys()):
        yield f"permission {name} is new"
    for name, allowed in pinned.items():
        if name not in found:
            yield f"permission {name} is gone"
        elif allowed and not any(has_only(found[name]["required_auth"], keys) for keys in allowed):
            expected = " or ".join(" and ".join(sorted(keys)) for keys in allowed)
            yield f"permission {name}: expected only {expected}, got {keys_of(found[name]['required_auth'])}"
    for name in LINKED:
        links = [(i.get("account"), i.get("action")) for i in found.get(name, {}).get("linked_actions") or []]
        only = [(settings.LEDGER_ACCOUNT, name)]
        if name in found and links != only:
            yield f"{name} is linked to {links}, expected {only}"


def has_only(authority: dict[str, Any], keys: frozenset[str]) -> bool:
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


def keys_of(authority: dict[str, Any]) -> str:
    """The authority in words."""
    keys = ", ".join(str(item["key"]) for item in authority["keys"]) or "no key"
    return f"{keys} (threshold {authority['threshold']}, {len(authority['accounts'])} accounts)"
