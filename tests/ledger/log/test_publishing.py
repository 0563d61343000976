"""From a recorded charge to a published checkpoint, against a real node and TPM."""

from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings

from ledger.alerts import WHAT_TO_DO
from ledger.chain.checkpoints import checkpoints_of
from ledger.chain.view import View
from ledger.log import building, keys, publishing
from ledger.models import ChainTransaction, LedgerEntry, LogCheckpoint, LogTile
from ledger.recording import settlement, transactions
from ledger.recording.resuming import sign_and_send
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import open_alerts
from tests.ledger.log.steps import published, root_of_entries
from tests.ledger.recording.steps import release_claims, signed
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status


def test_a_recorded_charge_gets_into_the_log(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    assert not publishing.advance() and not LogCheckpoint.objects.exists(), "an empty log is not signed"
    close_sessions(3)
    record_all()
    checkpoint = published(3)
    assert bytes(checkpoint.root) == root_of_entries()
    assert list(LedgerEntry.objects.order_by("pk").values_list("log_index", flat=True)) == [0, 1, 2]
    assert LogTile.objects.get().width == 3
    row = checkpoint.transaction
    assert row is not None and row.status == S.IRREVERSIBLE and row.packed is not None
    (said,) = checkpoints_of(bytes(row.packed), ledger_account.name)
    found = ledger_account.chain.log()
    assert (found.size, found.root, found.upto) == (3, bytes(checkpoint.root), checkpoint.upto_block)
    assert (said.size, said.root, said.late) == (3, found.root, ()) and found.block == row.block_num
    assert checkpoint.note.startswith("evportal.invalid/log\n3\n") and checkpoint.vkey == keys.log_vkey()
    assert not publishing.advance() and LogCheckpoint.objects.count() == 1, "nothing new, nothing signed"
    assert not open_alerts()
    assert WHAT_TO_DO["log_not_on_chain"]


def test_the_next_checkpoint_goes_on_where_the_last_one_ended(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    settings: Settings,
) -> None:
    settings.LOG_EVERY_S = 0
    close_sessions(2)
    record_all()
    first = published(2)
    close_sessions(3)
    record_all()
    second = published(5)
    assert second.old_size == 2 and second.upto_block > first.upto_block
    assert bytes(second.root) == root_of_entries()


def test_a_checkpoint_takes_so_many_and_parts_no_block(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.LOG_EVERY_S = 0
    monkeypatch.setattr(building, "LEAVES_MAX", 3)
    for count in (2, 2, 4):
        close_sessions(count)
        record_all()
    for size in (2, 4, 8):
        published(size)
    assert list(LogCheckpoint.objects.order_by("size").values_list("size", flat=True)) == [2, 4, 8]
    assert bytes(LogCheckpoint.objects.get(size=8).root) == root_of_entries()


def test_nothing_at_or_above_a_transaction_on_its_way_is_taken(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(1)
    waiting = signed()  # refers to the last irreversible block, and is not sent
    close_sessions(1)
    (row,) = transactions.transactions_batch(limit=1)
    assert sign_and_send([row])
    until(lambda: settlement.confirm_open(view=View()) == 0)
    assert waiting.ref_block_num is not None and row.block_num != waiting.ref_block_num
    lib_num = ledger_account.chain.info().lib_num
    assert building.horizon(lib_num) == waiting.ref_block_num
    assert not publishing.advance() and not LogCheckpoint.objects.exists()
    release_claims()
    record_all()
    assert bytes(published(2).root) == root_of_entries()
    assert LogCheckpoint.objects.get().late == []
