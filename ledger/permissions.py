"""The alarm on the chain account: the TPM's key may only record, but it can change its own permission (Antelope's
updateauth asks no more than the permission that is changed). So the account is compared with what was pinned."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from ledger.alerts import alert_close, alert_raise
from ledger.antelope import AntelopeError, public_key_decode
from ledger.chain import chain
from ledger.signer import signer


def check() -> list[str]:
    """Compare now; returns what differs, and opens or closes the alert."""
    found = list(differences(chain().account_info(), record_key=signer().to_public()))
    if found:
        alert_raise("permission_changed", message="; ".join(found))
    else:
        alert_close("permission_changed")
    return found


def differences(account: dict[str, Any], *, record_key: str) -> Iterator[str]:
    """What of get_account's answer differs from the pinned keys and the one linked action."""
    pinned = {"owner": settings.LEDGER_OWNER_KEY, "active": settings.LEDGER_ACTIVE_KEY, "record": record_key}
    found = {permission["perm_name"]: permission for permission in account["permissions"]}
    for name in sorted(found.keys() - pinned.keys()):
        yield f"permission {name} is new"
    for name, key in pinned.items():
        if name not in found:
            yield f"permission {name} is gone"
        elif key and not _is_only_key(found[name]["required_auth"], key):
            yield f"permission {name}: expected only {key}, got {_keys(found[name]['required_auth'])}"
    if "record" in found:
        linked = [(item.get("account"), item.get("action")) for item in found["record"].get("linked_actions") or []]
        expected = [(settings.LEDGER_ACCOUNT, "record")]
        if linked != expected:
            yield f"record is linked to {linked}, expected {expected}"


def _is_only_key(authority: dict[str, Any], key: str) -> bool:
    alone = not authority["accounts"] and not authority["waits"] and authority["threshold"] == 1
    return alone and len(authority["keys"]) == 1 and _same(authority["keys"][0]["key"], key)


def _same(one: str, other: str) -> bool:
    """EOS… and PUB_K1_… are two spellings of one key."""
    try:
        return public_key_decode(one) == public_key_decode(other)
    except AntelopeError:
        return one == other


def _keys(authority: dict[str, Any]) -> str:
    keys = ", ".join(str(item["key"]) for item in authority["keys"]) or "no key"
    return f"{keys} (threshold {authority['threshold']}, {len(authority['accounts'])} accounts)"
