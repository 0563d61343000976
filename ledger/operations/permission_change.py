"""One change of the keys of the account's `record` permission, by a transaction of a key that it has now.

The transaction is committed before it is sent, and sent again as the same bytes. Another one is made only when the
chain's irreversible time is past the first one's expiration and no block until then holds it.
"""

import time
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from ledger.chain import antelope
from ledger.chain.node import Block, Unsigned, chain
from ledger.chain.nodes import Info
from ledger.chain.view import View
from ledger.errors import BadReferenceBlock, CpuExceeded, DuplicateTransaction, LedgerError, TransactionExpired
from ledger.models import KeyRotation
from ledger.signing import permissions
from ledger.signing.signer import signer

SEND_EVERY_S = 3.0
BLOCK_S = 0.5
NO_TRANSACTION: dict[str, Any] = {
    **{"packed": None, "signature": "", "transaction_id": ""},
    **{"expires_at": None, "ref_block_num": None},
}


def record_change(public_keys: Iterable[str], *, parent: str, info: Info) -> Unsigned:
    """A transaction by which the permission `record` gives itself these keys: Antelope asks no more for it."""
    account = chain().account
    data = antelope.pack_updateauth(account, "record", parent, public_keys)
    action = antelope.Action("eosio", "updateauth", (antelope.Authorization(account, "record"),), data)
    return chain().build_actions([action], expiration_s=settings.LEDGER_EXPIRATION_S, info=info)


class UnexpectedPermission(LedgerError):
    """The permission holds neither the keys that it should hold before the change nor the wanted ones."""


class PermissionChange:
    """Brings `record` from the keys `before` to the keys `wanted`, each of which then does alone (PUB_R1_…).

    `row` keeps the transaction, `key` is the name of the key that signs it.
    """

    def __init__(self, row: KeyRotation, *, before: frozenset[str], wanted: frozenset[str], key: str) -> None:
        self.row = row
        self.before, self.wanted, self.key = before, wanted, key
        self._sent_at = 0.0
        self._seen_at: int | None = None  # the block at which the permission was seen to be as it should

    def look(self) -> str | None:
        """Do what is next; returns what is waited for, None when the change is irreversible.

        Raises UnexpectedPermission, TpmError, and ChainError: a refusal that waiting does not mend, or no answer.
        """
        view = View()
        if not self.row.transaction_id:
            return self._make(view)
        num = self._block_num()
        if num is not None and num <= view.info.lib_num and self._holds(view.block(num)):
            return None
        if self.row.expires_at is not None and view.info.lib_time > self.row.expires_at:
            return None if self._is_in(view) else self._forget()
        if num is not None:
            blocks = max(1, num - view.info.lib_num)
            return f"in block {num}, irreversible is {view.info.lib_num}: about {blocks * BLOCK_S:.0f} s left"
        return self._send()

    def _make(self, view: View) -> str | None:
        record = next((p for p in chain().account_info()["permissions"] if p["perm_name"] == "record"), None)
        if record is None:
            raise UnexpectedPermission("the account has no permission `record`: set it up first")
        authority = record["required_auth"]
        if permissions.has_only(authority, self.wanted):
            return self._seen(view)
        if not permissions.has_only(authority, self.before):
            raise UnexpectedPermission(
                f"the permission `record`: expected only {' and '.join(sorted(self.before))}, "
                f"got {permissions.keys_of(authority)}. Find out who changed it, and put it right with the active key"
            )
        unsigned = record_change(self.wanted, parent=record["parent"], info=view.info)
        (signature,) = signer(self.key).sign_many([unsigned.digest])
        none_yet = KeyRotation.objects.filter(pk=self.row.pk, step=self.row.step, transaction_id="")
        none_yet.update(
            packed=unsigned.packed,
            signature=signature,
            transaction_id=unsigned.transaction_id,
            expires_at=unsigned.expires_at,
            ref_block_num=unsigned.ref_block_num,
        )
        self.row.refresh_from_db()  # another process may have been first: then it is its transaction
        return self._send()

    def _seen(self, view: View) -> str | None:
        """It is so without a transaction that we know of; irreversible once the last irreversible block is past it."""
        self._seen_at = self._seen_at or view.info.head_block_num  # read after the permission was
        left = self._seen_at - view.info.lib_num
        return f"so already, about {left * BLOCK_S:.0f} s until that is irreversible" if left > 0 else None

    def _block_num(self) -> int | None:
        status = chain().status(self.row.transaction_id)
        return status.block_num if status.state in {"IN_BLOCK", "IRREVERSIBLE"} else None

    def _holds(self, block: Block) -> bool:
        found = block.transactions.get(self.row.transaction_id)
        return found is not None and found.status == "executed"

    def _is_in(self, view: View) -> bool:
        """Search the blocks up to its expiration: a node may keep no statuses."""
        assert self.row.ref_block_num is not None and self.row.expires_at is not None
        for block in view.irreversible_blocks(self.row.ref_block_num + 1):
            if self._holds(block):
                return True
            if block.time > self.row.expires_at:
                break
        return False

    def _forget(self) -> str:
        KeyRotation.objects.filter(pk=self.row.pk, transaction_id=self.row.transaction_id).update(**NO_TRANSACTION)
        self.row.refresh_from_db()
        return "the transaction did not get in in time: making another"

    def _send(self) -> str:
        """Hand it to a node, now and again; where its fate is open, its expiration decides."""
        if time.monotonic() - self._sent_at < SEND_EVERY_S or self.row.packed is None:
            return "sent to the chain"
        self._sent_at = time.monotonic()
        try:
            chain().send(bytes(self.row.packed), self.row.signature)
        except DuplicateTransaction:
            pass
        except (TransactionExpired, BadReferenceBlock, CpuExceeded) as error:
            return f"not taken yet: {error}"
        return f"transaction {self.row.transaction_id} sent to the chain"
