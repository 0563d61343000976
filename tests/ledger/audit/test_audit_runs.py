"""Audits that are kept: asked for, killed, waiting for a node; and the one that runs by itself and tells at once."""

import os
import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from ledger.alerts import alert_raise
from ledger.audit import marks, runs, tasks, watch
from ledger.audit.audit import Auditor
from ledger.audit.figures import figures
from ledger.chain import node as chain_door
from ledger.errors import ChainError
from ledger.models import Alert, AuditRun, LedgerEntry
from stations.models import ChargingSession
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.recording.killing import ended_well, forked

pytestmark = pytest.mark.django_db(transaction=True)
Kind = AuditRun.Kind
RecordAll = Callable[[], None]


@pytest.fixture
def recorded(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: RecordAll
) -> list[ChargingSession]:
    sessions = close_sessions(5)
    record_all()
    return sessions


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", 2)


def altered(session: ChargingSession) -> None:
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=7_781)


def mended(session: ChargingSession) -> None:
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=7_780)


def marked() -> dict[int, str]:
    return dict(LedgerEntry.objects.exclude(mismatch="").values_list("pk", "mismatch"))


def open_alerts(code: str = "mismatch") -> set[str]:
    return set(Alert.objects.filter(code=code, closed_at__isnull=True).values_list("subject", flat=True))


def again() -> None:
    """As if the last pass had begun a while ago."""
    AuditRun.objects.filter(kind=Kind.ROLLING).update(started_at=timezone.now() - timedelta(hours=1))


# --- by itself (P9)


def test_an_altered_session_is_told_of_unasked(recorded: list[ChargingSession]) -> None:
    """P9: nobody ran the command or opened the entry, and the alert is there, the entry marked."""
    altered(recorded[1])
    tasks.audit_watch()
    entry = LedgerEntry.objects.get(session=recorded[1])
    assert marked() == {entry.pk: "changed since it was recorded: energy_wh"}
    assert open_alerts() == {f"entry {entry.pk}"}
    mended(recorded[1])
    again()
    tasks.audit_watch()
    tasks.audit_watch()
    assert (marked(), open_alerts()) == ({}, set())


def test_the_newest_are_compared_each_beat_and_once(
    recorded: list[ChargingSession], close_sessions: CloseSessions, record_all: RecordAll
) -> None:
    assert not LedgerEntry.objects.filter(checked_at__isnull=False).exists()
    tasks.audit_watch()
    run = AuditRun.objects.get(kind=Kind.NEWEST)
    assert (run.done, run.counts["equal"], run.running) == (5, 5, True)
    assert not LedgerEntry.objects.filter(checked_at__isnull=True).exists()
    (session,) = close_sessions(1)
    tasks.audit_watch()
    record_all()
    altered(session)
    tasks.audit_watch()
    run.refresh_from_db()
    assert (run.done, run.counts["different"], run.findings.count()) == (6, 1, 1)
    assert len(marked()) == 1


def test_deleted_sessions_and_rows_are_told_of_by_the_pass(recorded: list[ChargingSession]) -> None:
    gone = LedgerEntry.objects.get(session=recorded[0])
    LedgerEntry.objects.filter(pk=gone.pk).delete()
    tasks.audit_watch()
    tasks.audit_watch()
    assert open_alerts() == {f"ledger id {gone.pk}", f"session {recorded[0].pk}"}
    last = figures().last
    assert last and last.kind == Kind.ROLLING and (last.counts["unknown"], last.counts["not_entered"]) == (1, 1)
    gone.save(force_insert=True)
    again()
    tasks.audit_watch()
    tasks.audit_watch()
    assert open_alerts() == set()


def test_a_pass_goes_in_slices_and_the_next_begins_after_it(
    recorded: list[ChargingSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SLICE_LEAST", 2)
    seen = []
    for _ in range(4):
        watch.watch()
        seen.append(AuditRun.objects.get(kind=Kind.ROLLING).done)
    assert seen == [2, 4, 5, 5]
    first = AuditRun.objects.get(kind=Kind.ROLLING)
    assert first.finished_at and first.is_clean and figures().compared == 5
    watch.watch()
    assert AuditRun.objects.filter(kind=Kind.ROLLING).count() == 1, "not again at once"
    again()
    watch.watch()
    assert AuditRun.objects.filter(kind=Kind.ROLLING).count() == 2


def test_as_much_a_beat_as_a_day_needs(settings: Settings) -> None:
    settings.LEDGER_AUDIT_PASS_S = 86_400
    half = AuditRun(kind=Kind.ROLLING, total=1_000_000, done=499_900)
    half.started_at = timezone.now() - timedelta(hours=12)
    assert 100 <= watch._due(half) <= 120
    half.done = 400_000
    assert watch._due(half) == watch.SLICE_MAX, "it catches up without standing in the way"


def test_without_a_node_it_says_so_and_loses_no_place(
    recorded: list[ChargingSession], monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(watch, "SLICE_LEAST", 2)
    tasks.audit_watch()
    nodes, settings.LEDGER_NODES = settings.LEDGER_NODES, ["http://127.0.0.1:9"]
    tasks.audit_watch()
    run = AuditRun.objects.get(kind=Kind.ROLLING)
    assert run.done == 2 and run.error and open_alerts("audit_waits") == {""} and figures().waits
    assert not marked() and not open_alerts()
    settings.LEDGER_NODES = nodes
    tasks.audit_watch()
    run.refresh_from_db()
    assert run.done == 4 and not run.error and open_alerts("audit_waits") == set() and not figures().waits


def test_it_can_be_switched_off(recorded: list[ChargingSession], settings: Settings) -> None:
    settings.LEDGER_AUDIT_PASS_S = 0
    tasks.audit_watch()
    assert not AuditRun.objects.exists()


def test_many_differences_are_few_alerts(recorded: list[ChargingSession], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "ALERTS_MAX", 2)
    ChargingSession.objects.update(energy_wh=1)
    call("ledger_audit")
    assert len(open_alerts()) == 3 and marks.MORE in open_alerts()
    assert len(marked()) == 5
    ChargingSession.objects.update(energy_wh=7_780)
    call("ledger_audit")
    assert open_alerts() == set()


# --- asked for


def test_one_runs_at_a_time_and_says_how_far_it_is(
    recorded: list[ChargingSession], owner: User, small_chunks: None
) -> None:
    run = runs.audit_ask(by=owner)
    assert runs.audit_ask(by=owner) == run
    turns = iter([True, False])
    assert runs.audit_advance(run_id=run.pk, go_on=lambda: next(turns))
    run.refresh_from_db()
    assert (run.done, run.total, run.percent, run.running) == (2, 5, 40, True)
    assert runs.audits_due() == [run.pk]
    tasks.audit_continue(run.pk)
    run.refresh_from_db()
    assert (run.done, run.percent, run.is_clean, run.started_by) == (5, 100, True, owner)
    assert runs.audit_ask(by=owner) != run


def test_its_findings_are_kept_as_the_command_says_them(recorded: list[ChargingSession], owner: User) -> None:
    altered(recorded[1])
    run = runs.audit_ask(by=owner)
    tasks.audit_continue(run.pk)
    (finding,) = run.findings.all()
    assert finding.as_dict() == {
        "kind": "different",
        "ledger_id": LedgerEntry.objects.get(session=recorded[1]).pk,
        "session": str(recorded[1].pk),
        "message": "energy_wh: recorded 7780, now 7781",
    }
    run.refresh_from_db()
    assert (run.found, run.is_clean, run.counts["equal"]) == (1, False, 4)


def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(
    recorded: list[ChargingSession], owner: User, small_chunks: None
) -> None:
    altered(recorded[2])
    run = runs.audit_ask(by=owner)

    def killed_in_the_second_chunk() -> None:
        chain_door._chain.cache_clear()  # its connections are the parent's
        told, calls = marks.tell, []

        def tell(*args: object, **words: object) -> None:
            calls.append(args)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            told(*args, **words)  # type: ignore[arg-type]

        marks.tell = tell
        runs.audit_advance(run_id=run.pk, go_on=lambda: True)

    assert not ended_well(forked(killed_in_the_second_chunk))
    run.refresh_from_db()
    assert (run.done, run.running, run.findings.count()) == (2, True, 0)
    assert runs.audits_due() == [], "it is the killed worker's for a while"
    AuditRun.objects.update(claimed_until=timezone.now())
    tasks.audit_continue(run.pk)
    run.refresh_from_db()
    assert (run.done, run.counts["equal"], run.counts["different"], run.findings.count()) == (5, 4, 1, 1)


def test_of_two_workers_one_counts(recorded: list[ChargingSession], owner: User, small_chunks: None) -> None:
    run = runs.audit_ask(by=owner)
    other = AuditRun.objects.get(pk=run.pk)
    auditor = Auditor()
    assert runs.step(run, auditor, limit=2)
    assert not runs.step(other, auditor, limit=2)
    run.refresh_from_db()
    assert run.done == 2


def test_it_can_be_stopped(recorded: list[ChargingSession], owner: User) -> None:
    run = runs.audit_ask(by=owner)
    assert runs.audit_cancel(run=run, by=owner) and not runs.audit_cancel(run=run, by=owner)
    tasks.audit_continue(run.pk)
    run.refresh_from_db()
    assert run.failed and run.error == "stopped by anna" and run.done == 0 and figures().last is None


def test_without_a_node_the_asked_one_waits(recorded: list[ChargingSession], owner: User, settings: Settings) -> None:
    run = runs.audit_ask(by=owner)
    nodes, settings.LEDGER_NODES = settings.LEDGER_NODES, ["http://127.0.0.1:9"]
    with pytest.raises(ChainError):
        runs.audit_advance(run_id=run.pk, go_on=lambda: True)
    run.refresh_from_db()
    assert run.running and run.error and runs.audits_due() == [run.pk]
    settings.LEDGER_NODES = nodes
    tasks.audit_continue(run.pk)
    run.refresh_from_db()
    assert run.percent == 100 and not run.error


# --- the command


def call(*arguments: str) -> int:
    try:
        call_command(*arguments, verbosity=0)
    except SystemExit as stop:
        return int(str(stop.code))
    except CommandError as error:
        return error.returncode
    return 0


def test_the_command_keeps_its_run_and_marks(recorded: list[ChargingSession], settings: Settings) -> None:
    altered(recorded[0])
    assert call("ledger_audit", "--history") == 1
    run = AuditRun.objects.get()
    assert (run.kind, run.done, run.found, run.running) == (Kind.COMMAND, 5, 1, False)
    assert len(marked()) == 1 and figures().found == 1 and figures().differing == 1
    settings.LEDGER_NODES = ["http://127.0.0.1:9"]
    assert call("ledger_audit") == 2
    assert AuditRun.objects.count() == 2 and figures().last == run


def test_old_runs_go(recorded: list[ChargingSession], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runs.RUNS_KEPT, Kind.COMMAND, 2)
    for _ in range(4):
        assert call("ledger_audit") == 0
    assert AuditRun.objects.count() == 2


@pytest.mark.django_db
def test_what_came_back_closes_its_alerts() -> None:
    """After `ledger_restore`: the rows that nobody knew have their entries again, and nobody waits for a whole pass."""
    for subject in ("ledger id 7", "entry 8", marks.MORE):
        alert_raise("mismatch", subject, "differs")
    still_open = Alert.objects.filter(code="mismatch", closed_at__isnull=True)
    marks.tell([], equal=[7])
    assert set(still_open.values_list("subject", flat=True)) == {"entry 8", marks.MORE}
    marks.tell([], equal=[8])
    marks.tell([])
    assert not still_open.exists()


def test_the_command_reads_every_block_where_it_is_asked_to(recorded: list[ChargingSession]) -> None:
    assert call("ledger_audit", "--every-block") == 0
    run = AuditRun.objects.get()
    assert (run.done, run.found, run.running, run.error) == (len(recorded), 0, False, "")
