"""What a batch says on the chain: its records, blocks with earlier ones, and the marks of credits among its own."""

from django.conf import settings

from ledger import record
from ledger.chain import antelope
from ledger.chain.node import State, Unsigned, chain
from ledger.chain.nodes import Info
from ledger.errors import KeyDestroyed
from ledger.keys import data_keys
from ledger.models import ChainTransaction, LedgerEntry

BLOCKS_MAX = 200  # named by one action
_SEALED_FIELDS = (
    *("transaction", "digest", "salt", "canonical", "erased_at"),
    *("data_key__key_id", "data_key__wrapped", "data_key__master_key_id"),
)


def transaction_of(row: ChainTransaction, *, info: Info, state: State) -> Unsigned:
    """The transaction of this batch, from now on: `info` and `state` say where the chain stands."""
    return chain().build(
        records(row),
        blocks=irreversible_heads(state, info.lib_num),
        marks=marks(row),
        info=info,
        expiration_s=settings.LEDGER_EXPIRATION_S,
    )


def irreversible_heads(state: State, lib_num: int) -> list[int]:
    """The oldest blocks with records that nothing has named yet; one that is not irreversible may still go away."""
    return [num for num in state.heads if num <= lib_num][:BLOCKS_MAX]


def records(row: ChainTransaction) -> list[antelope.Record]:
    """The members as the contract takes them; a copy whose key was destroyed before it was sealed stays empty."""
    entries = list(row.entries.select_related("data_key").only(*_SEALED_FIELDS).order_by("id"))
    ring = data_keys.keyring()
    return [(entry.pk, bytes(entry.digest), _sealed(entry, ring)) for entry in entries]


def marks(row: ChainTransaction) -> list[antelope.Mark]:
    """For each credit, what those who know the session that it takes back find it by; none where that was erased."""
    original = "session__credit_reference__ledger_entry"
    credits = row.entries.filter(session__credit=True).order_by("id")
    found = credits.values_list("pk", f"{original}__salt", f"{original}__digest")
    return [(pk, record.credit_mark(bytes(salt), bytes(digest))) for pk, salt, digest in found if salt is not None]


def _sealed(entry: LedgerEntry, ring: data_keys.Keyring) -> bytes:
    if entry.erased_at or entry.salt is None or entry.canonical is None:
        return b""
    try:
        key = ring.unwrap(entry.data_key)
    except KeyDestroyed:
        return b""
    return record.seal(
        ledger_id=entry.pk,
        salt=bytes(entry.salt),
        canonical_record=bytes(entry.canonical),
        key_id=bytes(entry.data_key.key_id),
        key=key,
        directory=ring.directory,
    )
