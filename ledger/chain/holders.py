"""PURE: who could replace the contract, from the permissions that get_account tells of.

That is who holds owner or active, a permission that may do eosio::setcode or eosio::setabi, or a parent of such a one,
for a parent satisfies what its child does. Whoever makes the chain's blocks could, too, which no permission tells.
"""

from collections.abc import Mapping, Sequence
from typing import Any

NOBODY = ("eosio.null", "active")  # an authority that the chain itself makes, and that nothing satisfies
REPLACING = {"setcode", "setabi", "", None}  # without an action: all of the system contract's
Permission = Mapping[str, Any]


class NotTold(ValueError):
    """The node does not tell who holds the account, or not in the form that it should have."""


def told_holders(account: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Name them from an answer to get_account; raises NotTold. Nodes tell of linked actions since EOSIO 2.1."""
    permissions = [_permission(item) for item in _list(found, "permissions")]
    if not {"owner", "active"} <= {permission["perm_name"] for permission in permissions}:
        raise NotTold("permissions: expected owner and active")
    return replaceable_by(account, permissions, _links(found, "eosio_any_linked_actions"))


def replaceable_by(
    account: str, permissions: Sequence[Permission], any_linked: Sequence[Mapping[str, Any]] = ()
) -> tuple[str, ...]:
    """Name the permissions ("evledger@owner") by which the account's contract could be replaced; () is nobody.

    `any_linked` is get_account's `eosio_any_linked_actions`: what every permission of the account may do.
    """
    by_name = {str(permission["perm_name"]): permission for permission in permissions}
    able = {"owner", "active"} & by_name.keys()
    for name, permission in by_name.items():
        while _links_replacing(links_of(permission)) and name in by_name and name not in able:
            able.add(name)
            name = str(by_name[name]["parent"])
    names = [name for name in able if not held_by_nobody(by_name[name]["required_auth"])]
    names += ["eosio.any"] if _links_replacing(any_linked) else []
    return tuple(sorted(f"{account}@{name}" for name in names))


def held_by_nobody(authority: Mapping[str, Any]) -> bool:
    """No key and no delay satisfies it, and no account but the one that nobody has."""
    levels = [(item["permission"]["actor"], item["permission"]["permission"]) for item in authority["accounts"]]
    return not authority["keys"] and not authority["waits"] and all(level == NOBODY for level in levels)


def tells_links(permissions: Sequence[Permission]) -> bool:
    """Whether the node lists the linked actions at all: older ones do not, and then more permissions may be able."""
    return all(isinstance(permission.get("linked_actions"), list) for permission in permissions)


def links_of(permission: Permission) -> Sequence[Mapping[str, Any]]:
    """The actions that this permission alone may authorise."""
    return permission.get("linked_actions") or []


def _links_replacing(links: Sequence[Mapping[str, Any]]) -> bool:
    return any(link.get("account") == "eosio" and link.get("action") in REPLACING for link in links)


# --- the form of the answer


def _permission(value: Any) -> Permission:
    permission = _object(value, "permission")
    authority = _object(permission.get("required_auth"), "required_auth")
    for name in ("perm_name", "parent"):
        _text(permission, name)
    for name in ("keys", "waits"):
        _list(authority, name)
    for level in _list(authority, "accounts"):
        holder = _object(_object(level, "account").get("permission"), "permission of an account")
        _text(holder, "actor"), _text(holder, "permission")
    _links(permission, "linked_actions")
    return permission


def _links(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    links = [_object(link, name) for link in _list(found, name)]
    for link in links:
        _text(link, "account")
        if link.get("action") is not None:
            _text(link, "action")
    return links


def _list(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name)
    if not isinstance(value, list):
        raise NotTold(f"{name}: expected a list, got {type(value).__name__}")
    return value


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise NotTold(f"{name}: expected text, got {type(value).__name__}")
    return value


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise NotTold(f"{name}: expected an object, got {type(value).__name__}")
    return value
