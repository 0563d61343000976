"""A database that is older than the chain uses no ledger id a second time, and says what to do (P14)."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from dev.chain.transactions import Action, push_actions
from dev.stack import portal
from ledger.alerts import alert_close
from ledger.models import Alert, ChainTransaction, LedgerEntry
from ledger.recording import entries, hold, tasks
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import all_recorded, drive

pytestmark = pytest.mark.django_db(transaction=True, reset_sequences=True)
S = ChainTransaction.Status


def older_backup(kept: int) -> list[LedgerEntry]:
    """Put the ledger back to its first `kept` entries, sequence and all; returns what is lost with it."""
    lost = list(LedgerEntry.objects.filter(pk__gt=kept).order_by("pk"))
    LedgerEntry.objects.filter(pk__gt=kept).delete()
    table = LedgerEntry._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, kept])
        else:
            cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [kept, table])
    return lost


def sweep(times: int = 2) -> None:
    for _ in range(times):
        due_now()
        tasks.sweep()


def due_now() -> None:
    ChainTransaction.objects.filter(status=S.BATCHED).update(retry_at=timezone.now(), claimed_until=None)


def open_subjects() -> set[str]:
    found = Alert.objects.filter(code="database_behind", closed_at__isnull=True)
    return set(found.values_list("subject", flat=True))


@pytest.fixture
def put_back(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> list[LedgerEntry]:
    """Entries 2 and 3 of 1 to 3 are lost: the chain has them, the database is from before."""
    close_sessions(3)
    record_all()
    assert list(LedgerEntry.objects.values_list("pk", flat=True)) == [1, 2, 3]
    return older_backup(1)


def sent() -> int:
    return ChainTransaction.objects.exclude(status=S.BATCHED).count()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_nothing_is_recorded_while_the_chain_is_ahead(
    put_back: list[LedgerEntry], ledger_account: LedgerAccount, close_sessions: CloseSessions, count: int
) -> None:
    """Also not when new entries have passed the chain's highest id already (five of them)."""
    before = sent()
    close_sessions(count)
    sweep()
    assert sent() == before, "not even signed"
    assert ledger_account.chain.state().count == 3
    assert not LedgerEntry.objects.exclude(conflict="").exists()
    assert open_subjects() == {"id 3"}
    close_sessions(1)
    assert LedgerEntry.objects.latest("pk").pk == max(4, count + 2), "ids are drawn above the chain's"
    sweep()
    assert sent() == before


def test_the_hold_ends_by_itself_when_what_was_lost_is_back(
    put_back: list[LedgerEntry], ledger_account: LedgerAccount, close_sessions: CloseSessions
) -> None:
    close_sessions(5)
    sweep()
    # as ledger_restore does: what collides gets a new id, and the lost ones come back
    for entry in LedgerEntry.objects.filter(pk__in=[2, 3]):
        LedgerEntry.objects.filter(pk=entry.pk).update(id=entry.pk + 100, transaction=None)
    LedgerEntry.objects.bulk_create(put_back)
    due_now()
    drive(all_recorded)
    assert open_subjects() == set()
    assert ledger_account.chain.state().count == 8
    assert not LedgerEntry.objects.exclude(conflict="").exists()


def test_the_alarm_is_raised_before_there_is_anything_to_record(put_back: list[LedgerEntry]) -> None:
    tasks.watch_permissions()
    assert open_subjects() == {"id 3"}
    LedgerEntry.objects.bulk_create(put_back)
    tasks.watch_permissions()
    assert open_subjects() == set()


def test_a_person_may_go_on_without_what_is_lost_and_nothing_collides(
    put_back: list[LedgerEntry], ledger_account: LedgerAccount, close_sessions: CloseSessions
) -> None:
    close_sessions(5)  # 2 and 3 collide, 4 to 6 do not
    sweep()
    alert_close("database_behind", "id 3")
    due_now()
    drive(lambda: ledger_account.chain.state().count == 6)
    sweep()
    waiting = LedgerEntry.objects.filter(transaction__status=S.BATCHED)
    assert set(waiting.values_list("pk", flat=True)) == {2, 3}
    (subject,) = open_subjects()
    assert subject.startswith("batch ")
    message = Alert.objects.get(subject=subject).message
    assert "ledger ids 2, 3 (2 in all)" in message

    before = sent()
    entries.entry_send_again(entry=LedgerEntry.objects.get(pk=2))
    sweep()
    assert sent() == before, "“Send again” does not repeat the collision"

    for pk in (2, 3):
        LedgerEntry.objects.filter(pk=pk).update(id=pk + 100, transaction=None)
    due_now()
    drive(all_recorded)
    assert open_subjects() == set()
    assert not ChainTransaction.objects.filter(status=S.BATCHED).exists(), "a batch without members is over"


def test_an_entry_in_conflict_collides_no_second_time(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(3)
    record_all()
    entry = LedgerEntry.objects.get(pk=2)
    LedgerEntry.objects.filter(pk=2).update(digest=bytes(32), conflict="another record", transaction=None)
    before = sent()
    entries.entry_send_again(entry=LedgerEntry.objects.get(pk=entry.pk))
    sweep()
    assert sent() == before
    assert len(open_subjects()) == 1


def test_nothing_at_or_below_the_floor_is_sent(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(3)
    record_all()
    prune = (2).to_bytes(8, "little") + (10).to_bytes(4, "little")
    action = Action(ledger_account.name, "prune", prune, f"{ledger_account.name}@prune")
    push_actions(ledger_account.node.url, [action], [ledger_account.active])
    LedgerEntry.objects.filter(pk=2).update(digest=bytes(32), transaction=None)
    before = sent()
    sweep()
    assert sent() == before
    assert len(open_subjects()) == 1


def test_in_a_new_ledger_nothing_is_held(ledger_account: LedgerAccount) -> None:
    hold.check(ledger_account.chain.state())
    hold.watch()
    assert not Alert.objects.exists()


def test_make_demo_does_not_wait_for_what_waits_for_a_person(
    put_back: list[LedgerEntry], close_sessions: CloseSessions
) -> None:
    close_sessions(2)
    sweep()
    now = portal.progress()
    assert (now.total, now.done, now.failed) == (3, 1, 2)
