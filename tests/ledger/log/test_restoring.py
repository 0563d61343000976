"""The log from the chain: identical, whatever is left of it here, and whatever was found late."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from ledger.audit.audit import audit
from ledger.chain.checkpoints import checkpoints_of
from ledger.log import publishing
from ledger.models import Alert, ChainTransaction, LedgerEntry, LogCheckpoint, LogTile
from ledger.repair.restoration import restore
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import drive, open_alerts
from tests.ledger.log.steps import published, root_of_entries
from tests.ledger.recording.backups import backup, put_back

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status
Log = tuple[dict[tuple[int, int], bytes], dict[int, int | None]]


@pytest.fixture(autouse=True)
def at_once(settings: Settings) -> None:
    settings.LOG_EVERY_S = 0


def log() -> Log:
    """Tiles, and which leaf each entry is."""
    tiles = {(tile.level, tile.index): bytes(tile.data) for tile in LogTile.objects.all()}
    return tiles, dict(LedgerEntry.objects.order_by("pk").values_list("pk", "log_index"))


def forget() -> None:
    """As in a database that never heard of the log."""
    LogCheckpoint.objects.all().delete()
    LogTile.objects.all().delete()
    LedgerEntry.objects.update(log_index=None)


def found_late(close_sessions: CloseSessions, record_all: Callable[[], None]) -> LedgerEntry:
    """Record three, of which the first is adopted only once the others are in the log; returns its entry."""
    close_sessions(1)
    record_all()
    close_sessions(2)
    record_all()
    late = LedgerEntry.objects.earliest("pk")
    carrier, late.transaction = late.transaction, None
    LedgerEntry.objects.filter(pk=late.pk).update(transaction=None, conflict="settled in a moment")
    published(2)
    LedgerEntry.objects.filter(pk=late.pk).update(transaction=carrier, conflict="")
    return late


def test_what_is_found_late_comes_last_and_is_named(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    late = found_late(close_sessions, record_all)
    close_sessions(1)
    record_all()
    checkpoint = published(4)
    late.refresh_from_db()
    assert checkpoint.late == [late.pk] and late.log_index == 3
    assert checkpoint.transaction is not None and checkpoint.transaction.packed is not None
    (said,) = checkpoints_of(bytes(checkpoint.transaction.packed), ledger_account.name)
    assert said.late == (late.pk,)
    assert bytes(checkpoint.root) == root_of_entries()
    assert audit().clean
    before, root = log(), bytes(checkpoint.root)
    forget()
    assert restore(dry_run=True).log == 4 and not LogTile.objects.exists(), "said, and not done"
    assert restore().log == 4
    assert log() == before and bytes(LogCheckpoint.objects.get().root) == root
    assert audit().clean


def test_into_a_database_without_a_log(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(3)
    record_all()
    published(3)
    close_sessions(2)
    record_all()
    root = bytes(published(5).root)
    before = log()
    forget()
    assert not publishing.advance()
    assert Alert.objects.get(code="database_behind", subject="log", closed_at__isnull=True)
    assert restore().log == 5 and restore().log == 0, "repeats safely"
    assert log() == before and not open_alerts()
    restored = LogCheckpoint.objects.get()
    assert (restored.size, bytes(restored.root), restored.note) == (5, root, "")
    publishing.advance()
    restored.refresh_from_db()
    assert restored.note.startswith("evportal.invalid/log\n5\n"), "the same root, signed anew"
    assert audit().clean
    close_sessions(1)
    record_all()
    assert bytes(published(6).root) == root_of_entries()


def test_an_older_backup_signs_nothing_until_it_is_restored(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None], tmp_path: Path
) -> None:
    close_sessions(2)
    record_all()
    first = published(2)
    older = backup(tmp_path / "older")
    close_sessions(2)
    record_all()
    root = bytes(published(4).root)
    before = log()
    put_back(older)
    assert LogCheckpoint.objects.get() == first
    assert not publishing.advance() and LogCheckpoint.objects.count() == 1
    assert restore().sessions == 2
    assert log() == before
    assert {row.size: bytes(row.root) for row in LogCheckpoint.objects.all()} == {2: bytes(first.root), 4: root}
    drive(lambda: not open_alerts())
    assert audit().clean
    close_sessions(1)
    record_all()
    assert bytes(published(5).root) == root_of_entries()


def test_erasure_leaves_leaves(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    from ledger.keys.erasure import customer_erase

    (session, _) = close_sessions(2)
    record_all()
    published(2)
    before = log()
    assert session.customer is not None
    customer_erase(customer=session.customer)
    assert log() == before and LedgerEntry.objects.filter(erased_at__isnull=False).count() == 2
    report = audit()
    assert report.clean and report.erased == 2
