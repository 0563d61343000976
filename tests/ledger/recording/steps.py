"""Single steps of recording, and what is true at their end."""

from datetime import timedelta

from django.utils import timezone

from ledger.chain import antelope, node
from ledger.models import ChainTransaction, LedgerEntry
from ledger.recording import transactions
from ledger.signing.signer import signer
from tests.conftest import LedgerAccount

S = ChainTransaction.Status


def batched() -> ChainTransaction:
    row = transactions.transaction_batch()
    assert row is not None
    return row


def signed() -> ChainTransaction:
    row = batched()
    assert transactions.transactions_sign(transactions=[row])
    row.refresh_from_db()
    assert row.status == S.SIGNED
    return row


def release_claims() -> None:
    """Time passes: a dead worker's claim runs out."""
    ChainTransaction.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))


def record_elsewhere(account: LedgerAccount, records: list[antelope.Record]) -> str:
    """The same key records past our database, as a portal restored from an old backup may have done."""
    unsigned = node.chain().build(records, expiration_s=60)
    account.chain.send(unsigned.packed, signer().sign_many([unsigned.digest])[0])
    wait_until_irreversible(account)
    return unsigned.transaction_id


def wait_until_irreversible(account: LedgerAccount) -> None:
    head = account.node.info()["head_block_num"]
    account.node.wait_for_block(head + 1)


def assert_recorded_once(account: LedgerAccount) -> None:
    digests = {pk: bytes(digest) for pk, digest in LedgerEntry.objects.values_list("id", "digest")}
    assert account.chain.rows(0, max(digests) + 100) == digests
    assert account.chain.state().count == len(digests)
