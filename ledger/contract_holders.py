"""PURE: who could replace the contract, from the permissions that get_account tells of.

That is who holds owner or active (the parent of all others), or a permission that may do eosio::setcode or
eosio::setabi. Whoever makes the chain's blocks could, too, which no permission tells.
"""

from collections.abc import Mapping, Sequence
from typing import Any

NOBODY = ("eosio.null", "active")  # an authority that the chain itself makes, and that nothing satisfies
REPLACING = {"setcode", "setabi", "", None}  # without an action: all of the system contract's
Permission = Mapping[str, Any]


def replaceable_by(
    account: str, permissions: Sequence[Permission], any_linked: Sequence[Mapping[str, Any]] = ()
) -> tuple[str, ...]:
    """Name the permissions ("evledger@owner") by which the account's contract could be replaced; () is nobody.

    A permission can do what those below it can. `any_linked` is get_account's `eosio_any_linked_actions`: what every
    permission of the account may do.
    """
    parents = {str(p["perm_name"]): str(p["parent"]) for p in permissions}
    able = {"owner", "active", *(parents if _links_replacing(any_linked) else ())}
    for permission in permissions:
        name = str(permission["perm_name"]) if _links_replacing(links_of(permission)) else ""
        while name in parents and name not in able:
            able.add(name)
            name = parents[name]
    held = [p for p in permissions if p["perm_name"] in able and not held_by_nobody(p["required_auth"])]
    return tuple(sorted(f"{account}@{p['perm_name']}" for p in held))


def held_by_nobody(authority: Mapping[str, Any]) -> bool:
    """No key and no delay satisfies it, and no account but the one that nobody has."""
    levels = [(item["permission"]["actor"], item["permission"]["permission"]) for item in authority["accounts"]]
    return not authority["keys"] and not authority["waits"] and all(level == NOBODY for level in levels)


def tells_links(permissions: Sequence[Permission]) -> bool:
    """Whether the node lists the linked actions at all: older ones do not, and then more permissions may be able."""
    return all(isinstance(permission.get("linked_actions"), list) for permission in permissions)


def links_of(permission: Permission) -> Sequence[Mapping[str, Any]]:
    return permission.get("linked_actions") or []


def _links_replacing(links: Sequence[Mapping[str, Any]]) -> bool:
    return any(link.get("account") == "eosio" and link.get("action") in REPLACING for link in links)
