"""One worker with a wrong clock: nothing stops, nothing is taken twice, and the alert names the clock."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import Archive, User
from accounts.privacy.archive import archives_due
from common import clock
from ledger.chain import clock_watch
from ledger.models import Alert, ChainTransaction, KeyRotation, Webhook
from ledger.operations import rotation
from ledger.recording import resuming, tasks, transactions
from ledger.webhooks import delivery, outbox
from stations.imports.runs import imports_due
from stations.models.imports import ImportFile, ImportRun
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.chain.proxy import Proxy, altered
from tests.ledger.conftest import all_recorded, drive, open_alerts
from tests.ledger.recording.killing import ended_well, forked
from tests.ledger.recording.steps import assert_recorded_once, batched, signed
from tpm.models import TpmService
from tpm.register import register

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status
TWO_HOURS = timedelta(hours=2)
WRONG = pytest.mark.parametrize("wrong", [TWO_HOURS, -TWO_HOURS], ids=["2 h ahead", "2 h behind"])


@pytest.fixture(autouse=True)
def measured_anew() -> Iterator[None]:
    yield
    clock.measure()


def shift(by: timedelta) -> None:
    """Set this process's clock."""
    now, seconds = timezone.now, time.time
    timezone.now = lambda: now() + by
    time.time = lambda: seconds() + by.total_seconds()


def worker(by: timedelta, *, measures: bool) -> None:
    """Another worker process for a while. With `measures` off its clock jumped after it was measured."""

    def work() -> None:
        shift(by)
        if measures:
            tasks.clock_check()  # as Celery does before each task
        else:
            setattr(tasks, "clock_watch", lambda: None)  # noqa: B010
        for _ in range(3):
            tasks.sweep()
            transactions.tpm_watch()
            register.attest_due()
            if not measures:
                setattr(clock, "_off", timedelta())  # noqa: B010

    assert ended_well(forked(work))


def make_due() -> None:
    """The TPM service is to be attested by whoever comes next."""
    TpmService.objects.update(due_at=timezone.now())


@WRONG
def test_a_worker_with_a_wrong_clock_works_by_the_databases(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, wrong: timedelta
) -> None:
    make_due()
    close_sessions(3)
    worker(wrong, measures=True)
    assert open_alerts() == {"clock"}
    alert = Alert.objects.get()
    assert alert.subject == clock_watch.worker_name() and alert.subject in alert.message
    seconds = int(alert.message.split("its clock is ")[1].split(" s ")[0])
    assert abs(seconds - 7200) < 60
    assert ("ahead of the database's" if wrong > timedelta() else "behind the database's") in alert.message
    assert "the chain's newest block" in alert.message and alert.what_to_do
    assert abs(alert.opened_at - timezone.now()) < timedelta(minutes=5)
    for row in ChainTransaction.objects.all():
        assert abs(row.retry_at - timezone.now()) < timedelta(minutes=5)
    service = TpmService.objects.get()
    assert service.last_attested_at and abs(service.last_attested_at - timezone.now()) < timedelta(minutes=5)
    drive(all_recorded)
    tasks.sweep()
    assert open_alerts() == set(), "the same worker, put right"
    assert_recorded_once(ledger_account)


@WRONG
def test_what_was_written_before_it_was_measured_stops_nobody(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, wrong: timedelta
) -> None:
    make_due()
    close_sessions(3)
    worker(wrong, measures=False)
    register.attest_due()
    transactions.tpm_watch()
    drive(all_recorded)
    assert open_alerts() == set()
    assert_recorded_once(ledger_account)


@WRONG
@pytest.mark.parametrize("part", ["tpm", "chain"])
def test_what_it_put_off_is_not_put_off(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings, wrong: timedelta, part: str
) -> None:
    """It met a fault in its minute, and put everything off by its own clock."""
    close_sessions(3)
    row = batched() if part == "tpm" else signed()
    nodes = settings.LEDGER_NODES
    if part == "tpm":
        ledger_account.tpm.kill_service()
    else:
        settings.LEDGER_NODES = ["http://127.0.0.1:1"]
    ChainTransaction.objects.update(claimed_until=None)
    try:
        worker(wrong, measures=False)
    finally:
        if part == "tpm":
            ledger_account.tpm.start_service()
        settings.LEDGER_NODES = nodes
    register.attest_due()
    drive(all_recorded)
    row.refresh_from_db()
    assert row.status == S.IRREVERSIBLE
    assert_recorded_once(ledger_account)


def test_claims_and_waits_that_nobody_would_make(ledger_account: LedgerAccount, close_sessions: CloseSessions) -> None:
    later = timezone.now() + TWO_HOURS
    close_sessions(3)
    rows = [batched()]
    close_sessions(3)
    rows.append(signed())
    close_sessions(3)
    rows.append(signed())
    ChainTransaction.objects.filter(pk=rows[2].pk).update(status=S.DEFERRED)
    ChainTransaction.objects.update(claimed_until=later, retry_at=later)
    assert not transactions.halted()
    drive(all_recorded)
    assert_recorded_once(ledger_account)


def test_waits_that_are_meant_are_kept(ledger_account: LedgerAccount, close_sessions: CloseSessions) -> None:
    close_sessions(3)
    row = batched()
    for field in ("claimed_until", "retry_at"):
        moment = timezone.now() + timedelta(seconds=25)
        ChainTransaction.objects.update(**{"claimed_until": None, "retry_at": timezone.now(), field: moment})
        resuming.resume_batched()
        row.refresh_from_db()
        assert (row.status, row.packed) == (S.BATCHED, None)


def test_the_register_attests_by_the_right_time(ledger_account: LedgerAccount) -> None:
    later = timezone.now() + TWO_HOURS
    TpmService.objects.update(due_at=later, claimed_until=later, state=TpmService.State.REFUSED)
    assert len(register.attest_due()) == 1
    assert TpmService.objects.get().state == TpmService.State.ATTESTED


def test_a_rotation_is_taken_over_by_the_right_time(ledger_account: LedgerAccount) -> None:
    row = rotation.prepare("ledger-next")
    KeyRotation.objects.filter(pk=row.pk).update(claimed_by="another", claimed_until=timezone.now() + TWO_HOURS)
    said: list[str] = []
    rotation.Rotation(row, said.append).claim()
    assert said == []


def test_imports_archives_and_webhooks_go_on_by_the_right_time(owner: User) -> None:
    later = timezone.now() + TWO_HOURS
    run = ImportRun.objects.create(
        file_name="a.csv", sha256="0" * 64, size=1, time_zone="UTC", uploaded_by=owner, claimed_until=later
    )
    ImportFile.objects.create(run=run, content=b"a")
    archive = Archive.objects.create(customer=owner, claimed_until=later)
    hook = Webhook.objects.create(user=owner, url="https://example.com/", secret="")
    ping = outbox.ping(hook=hook)
    ping.next_attempt_at = timezone.now() + delivery.BACKOFF[-1] + TWO_HOURS
    ping.save()
    assert imports_due() == [run]
    assert archives_due() == [archive.pk]
    assert delivery.due_webhooks() == [hook.pk]


def test_the_alert_of_a_worker_that_is_gone_closes(ledger_account: LedgerAccount) -> None:
    long_ago = timezone.now() - timedelta(minutes=5)
    Alert.objects.create(code="clock", subject="worker@gone", message="off", opened_at=long_ago, last_seen_at=long_ago)
    Alert.objects.create(code="clock", subject="worker@there", message="off")
    tasks.sweep()
    assert list(Alert.objects.filter(closed_at__isnull=True).values_list("subject", flat=True)) == ["worker@there"]


def test_clocks_that_agree_and_are_both_behind_the_chain(
    ledger_account: LedgerAccount, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(ledger_account.node.url)
    head = timezone.now() + TWO_HOURS
    proxy.always["get_info"] = altered(lambda info: info.update(head_block_time=head.strftime("%Y-%m-%dT%H:%M:%S")))
    settings.LEDGER_NODES = [proxy.url]
    clock_watch.clock_watch()
    proxy.close()
    message = Alert.objects.get().message
    assert "equal to the database's, and 7" in message and "behind the chain's newest block" in message


def test_due() -> None:
    now, minute = clock.now(), timedelta(minutes=1)
    for moment, expected in [(now - TWO_HOURS, True), (now + timedelta(seconds=40), False), (now + TWO_HOURS, True)]:
        row = ChainTransaction.objects.create(retry_at=moment, claimed_until=moment)
        here = ChainTransaction.objects.filter(pk=row.pk)
        assert clock.is_due(moment, minute) is expected
        assert here.filter(clock.due("retry_at", minute)).exists() is expected
        assert here.filter(clock.free(minute)).exists() is expected
