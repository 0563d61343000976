"""Giving the contract away, for ever: owner and active go to others, or to nobody; what records and prunes stays ours.

Whoever holds owner or active can replace the contract, take records out of its tables and put it back: the account's
own operator included. After this they cannot (docs/ledger.md).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from ledger.chain import antelope
from ledger.chain.antelope import Level
from ledger.chain.holders import NOBODY, links_of, replaceable_by, tells_links
from ledger.chain.node import Unsigned, chain
from ledger.errors import DuplicateTransaction, LedgerError, OutcomeUnknown
from ledger.signing import permissions
from ledger.signing.signer import OfflineKey

GIVEN = ("active", "owner")
WAIT_S = 1.0


@dataclass(frozen=True)
class Holding:
    """The contract on the chain, and who holds it."""

    account: str
    code_hash: str
    abi_hash: str
    changed_at: str
    replaceable_by: tuple[str, ...]
    links_known: bool
    differences: tuple[str, ...]  # from what is published

    @classmethod
    def now(cls) -> "Holding":
        name = chain().account
        account, raw = chain().account_info(), chain().read("get_raw_abi", {"account_name": name})
        return cls(
            account=name,
            code_hash=str(raw["code_hash"]),
            abi_hash=str(raw["abi_hash"]),
            changed_at=str(account["last_code_update"]),
            replaceable_by=holders(account),
            links_known=tells_links(account["permissions"]),
            differences=tuple(permissions.contract_differences(account)),
        )


def holders(account: Mapping[str, Any]) -> tuple[str, ...]:
    any_linked = account.get("eosio_any_linked_actions") or []
    return replaceable_by(str(account["account_name"]), account["permissions"], any_linked)


def level_of(text: str) -> Level:
    """Read ACCOUNT@PERMISSION; raises LedgerError."""
    actor, separator, permission = text.partition("@")
    try:
        antelope.name_to_int(actor), antelope.name_to_int(permission)
    except antelope.AntelopeError as error:
        raise LedgerError(f"{text}: {error}") from error
    if not (actor and separator and permission):
        raise LedgerError(f"expected ACCOUNT@PERMISSION, got {text!r}")
    return actor, permission


def obstacles(account: Mapping[str, Any], holding: Holding) -> list[str]:
    """Why it may not be given away now: it could never be put right afterwards."""
    found = {permission["perm_name"]: permission for permission in account["permissions"]}
    why = list(holding.differences)
    for name in permissions.LINKED:
        links = [(link.get("account"), link.get("action")) for link in links_of(found.get(name, {}))]
        if links != [(holding.account, name)]:
            why.append(
                f"the permission `{name}` has to be linked to {holding.account}::{name} alone, but is to {links}"
            )
    if "record" in found:
        why += permissions.record_differences(found["record"]["required_auth"], permissions.record_keys())
    others = set(holding.replaceable_by) - {f"{holding.account}@{name}" for name in GIVEN}
    why += [f"{name} could still replace the contract: delete it first" for name in sorted(others)]
    return why if holding.links_known else [*why, "the node does not tell which actions are linked: ask another one"]


def is_given(account: Mapping[str, Any], levels: Sequence[Level]) -> bool:
    """Whether owner and active are all of these, together, and nothing else."""
    found = {permission["perm_name"]: permission["required_auth"] for permission in account["permissions"]}
    return all(permissions.is_pinned(found[name], text_of(levels)) for name in GIVEN)


def text_of(levels: Sequence[Level]) -> str:
    """As the settings EVPORTAL_LEDGER_OWNER_KEY and …_ACTIVE_KEY name them."""
    return "+".join(f"{actor}@{name}" for actor, name in sorted(set(levels)))


def transaction(levels: Sequence[Level] = (NOBODY,)) -> Unsigned:
    """Both permissions in one transaction, by owner: it happens as a whole or not at all."""
    name, by = chain().account, (antelope.Authorization(chain().account, "owner"),)
    parents = {"active": "owner", "owner": ""}
    wanted = sorted(set(levels))
    actions = [
        antelope.Action(
            *("eosio", "updateauth"),
            by,
            antelope.pack_updateauth(name, given, parents[given], levels=wanted, threshold=len(wanted)),
        )
        for given in GIVEN
    ]
    return chain().build_actions(actions, expiration_s=settings.LEDGER_EXPIRATION_S, info=chain().info())


def give_away(levels: Sequence[Level], owner_key: Path, say: Callable[[str], None]) -> None:
    """Do it, and return when it is irreversible. Raises LedgerError: where it says so, nothing was changed."""
    key = OfflineKey.load(owner_key)
    unsigned = transaction(levels)
    with suppress(DuplicateTransaction, OutcomeUnknown):  # what became of it is seen below
        chain().send(unsigned.packed, key.sign(unsigned.digest))
    say(f"transaction {unsigned.transaction_id} sent to the chain")
    while not is_given(chain().account_info(), levels):
        if chain().info().lib_time > unsigned.expires_at:
            raise LedgerError("the transaction did not get in in time: nothing was changed, start again")
        time.sleep(WAIT_S)
    seen = chain().info().head_block_num
    while (info := chain().info()).lib_num < seen:
        say(f"irreversible is block {info.lib_num}, waiting for {seen}")
        time.sleep(WAIT_S)
