"""From a recorded charge to a published checkpoint, against a real node and TPM."""

from collections.abc import Callable

import pytest

from ledger.alerts import WHAT_TO_DO
from ledger.chain.checkpoints import checkpoints_of
from ledger.log import keys, publishing
from ledger.models import ChainTransaction, LedgerEntry, LogCheckpoint, LogTile
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import open_alerts
from tests.ledger.log.steps import published, root_of_entries

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
    settings: object,
) -> None:
    settings.LOG_EVERY_S = 0  # type: ignore[attr-defined]
    close_sessions(2)
    record_all()
    first = published(2)
    close_sessions(3)
    record_all()
    second = published(5)
    assert second.old_size == 2 and second.upto_block > first.upto_block
    assert bytes(second.root) == root_of_entries()
