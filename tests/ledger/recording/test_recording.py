"""The main job: a finished session is signed by the TPM and recorded on the chain."""

import base64
import os
from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings

from dev.chain.nodeos import Nodeos
from ledger import record
from ledger.chain import antelope, p256
from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipts import checks
from ledger.recording import transactions
from tests.conftest import CloseSessions, LedgerAccount

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_closed_session_becomes_irreversible(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    (session,) = close_sessions()
    record_all()
    entry = LedgerEntry.objects.select_related("transaction").get(session=session)
    row = entry.transaction
    assert row is not None and row.packed is not None and row.block_num is not None
    assert row.status == ChainTransaction.Status.IRREVERSIBLE
    assert ledger_account.chain.row(entry.pk) == bytes(entry.digest)
    assert ledger_account.chain.row_id_of(bytes(entry.digest)) == entry.pk
    digest = antelope.signing_digest(bytes.fromhex(ledger_account.chain.chain_id), bytes(row.packed))
    _, signature = antelope.signature_decode(row.signature)
    tpm_key = ledger_account.tpm.client().key_get("ledger").public_key_eosio
    assert antelope.public_key_encode(p256.recover(digest, signature)) == tpm_key == row.public_key


def test_250_sessions_take_two_transactions(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(250)
    record_all()
    sizes = sorted(row.entries.count() for row in ChainTransaction.objects.all())
    assert sizes == [50, 200]
    assert ledger_account.chain.state().count == 250


def test_what_meters_sign_holds_up_nobody(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    """Long signed texts fill transactions by their size, and the largest that is taken gets in: it cannot be packed."""
    text = base64.b64encode(os.urandom(transactions.BATCH_BYTES_MAX * 3 // 4 - 1_500)).decode()
    one = {"format": "EDL40", "encoding": "base64", "text": text}
    close_sessions(1, signed_meter_values=[one], signed_verdict="NOT CHECKED")
    close_sessions(1, signed_meter_values=[{**one, "text": text[:1000]}] * 400, signed_verdict="NOT CHECKED")
    close_sessions(2)
    record_all()
    by_size = sorted((row.entries.count(), row.status) for row in ChainTransaction.objects.all())
    assert by_size == [(1, "IRREVERSIBLE"), (1, "IRREVERSIBLE"), (2, "IRREVERSIBLE")]


def test_the_receipt_verifies_against_two_nodes(
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    settings: Settings,
) -> None:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    (session,) = close_sessions()
    record_all()
    check = checks.verify_session(session)
    assert check.verdict == "VERIFIED", check
    assert [step.number for step in check.steps] == list(range(1, 13))


def test_the_copy_opens_with_the_tokens_key(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    from ledger.chain.records import records_in
    from ledger.keys import data_keys

    (session,) = close_sessions()
    record_all()
    entry = LedgerEntry.objects.get(session=session)
    row = entry.transaction
    assert row is not None and row.block_num is not None and row.transaction_id is not None
    block = ledger_account.chain.block(row.block_num)
    ((ledger_id, digest, sealed),) = records_in(block.transactions[row.transaction_id], ledger_account.name)
    opened = record.open_sealed(ledger_id=ledger_id, sealed=sealed, key=data_keys.keyring().unwrap(entry.data_key))
    assert opened.canonical == bytes(entry.canonical or b"")
    assert record.digest(opened.salt, opened.canonical) == digest
    assert len(sealed) < 400
