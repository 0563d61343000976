"""A database put back from an older backup than the chain: nothing is lost, nothing is recorded twice (P14)."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.chain.setup import Action, push_actions
from ledger.alerts import alert_raise
from ledger.audit.audit import audit
from ledger.chain.walk import walk
from ledger.keys import data_keys
from ledger.models import Alert, LedgerEntry
from ledger.recording import tasks
from ledger.recording.ids import next_id
from ledger.repair.copies import Opener, copies_in
from ledger.repair.restoration import restore
from stations.cards.services import TokenRef
from stations.charging.sessions import session_close, session_start
from stations.models import ChargingSession, Connector, IdToken
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import all_recorded, drive
from tests.ledger.recording.backups import backup, put_back
from tests.ledger.recording.killing import ended_well, forked
from tests.ledger.repair.test_restoration import run

pytestmark = pytest.mark.django_db(transaction=True)
BEGUN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass
class Worlds:
    """`lost` were closed after the backup was made, `new` after it was put back; `both` ended twice."""

    before: set[Any]
    lost: set[Any]
    new: set[Any]
    both: ChargingSession
    keys: Path


def end(session: ChargingSession, *, after: timedelta) -> None:
    session_close(session=session, stopped_at=BEGUN + after, meter_stop_wh=9_000, stop_reason="EVDisconnected")


def prune(account: LedgerAccount) -> None:
    data = account.chain.state().last.to_bytes(8, "little") + (100).to_bytes(4, "little")
    push_actions(account.node.url, [Action(account.name, "prune", data, f"{account.name}@prune")], [account.active])


@pytest.fixture(params=["rows", "pruned"])
def worlds(
    request: pytest.FixtureRequest,
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    connector: Connector,
    other_customer: User,
    record_all: Callable[[], None],
    settings: Settings,
    tmp_path: Path,
) -> Worlds:
    """What is recorded after the backup was made is lost with it; then new sessions get the same ledger ids."""
    settings.LEDGER_EXPIRATION_S = 8  # what cannot get in is given up soon
    before = {one.pk for one in close_sessions(3)}
    record_all()
    before |= {one.pk for one in close_sessions(2)}  # not recorded yet when the backup is made
    running, _ = session_start(
        station=connector.station,
        transaction_id="RUNNING",
        started_at=BEGUN,
        meter_start_wh=1_000,
        token=TokenRef("04A2B3C4D5E680"),
    )
    older = backup(tmp_path / "older")
    ben = IdToken.objects.create(uid="BEEF00", customer=other_customer)  # his data key is in the key backup alone
    lost = {one.pk for one in close_sessions(2)}
    next_id()  # as of a session that was not closed after all: an id that no record has
    lost |= {one.pk for one in close_sessions(2, token=ben)}
    end(running, after=timedelta(minutes=40))
    record_all()
    if request.param == "pruned":
        prune(ledger_account)  # the row of the id that nobody has can never be made any more
    assert run("ledger_keys", "backup", str(tmp_path / "keys.json"))[0] == 0
    put_back(older)
    assert ChargingSession.objects.count() == 6
    running = ChargingSession.objects.get(pk=running.pk)
    end(running, after=timedelta(minutes=41))  # another end: what was recorded first counts
    new = {one.pk for one in close_sessions(6)}
    return Worlds(before, lost, new, running, tmp_path / "keys.json")


def recorded_sessions(account: LedgerAccount) -> list[Any]:
    """Of each record on the chain, which session it is of."""
    opener = Opener()
    found = [
        copy for block in walk(account.chain) for one in copies_in(block, account.name) for copy in opener.open(one)
    ]
    assert len({copy.ledger_id for copy in found}) == len(found)
    return [copy.session_id for copy in found]


def in_conflict(worlds: Worlds, account: LedgerAccount) -> None:
    """As an earlier version left the new sessions whose ids the chain has."""
    for pk in LedgerEntry.objects.filter(session__in=worlds.new).values_list("pk", flat=True):
        if account.chain.row(pk) or pk <= account.chain.state().floor:
            LedgerEntry.objects.filter(pk=pk).update(conflict="another digest stands there")
            alert_raise("conflict", str(pk), "another digest stands there")


def all_well() -> bool:
    """All is recorded, and the sweep has closed what it opened."""
    return all_recorded() and not Alert.objects.filter(closed_at=None).exists()


def everything_is_there(worlds: Worlds, account: LedgerAccount) -> None:
    every = worlds.before | worlds.lost | worlds.new | {worlds.both.pk}
    assert set(ChargingSession.objects.values_list("pk", flat=True)) == every
    report = audit()
    assert report.clean, report.findings
    assert report.equal == len(every) == LedgerEntry.objects.count() == 16
    recorded = recorded_sessions(account)
    assert sorted(recorded) == sorted(every), "each once, none twice"
    assert ChargingSession.objects.get(pk=worlds.both.pk).stopped_at == BEGUN + timedelta(minutes=40)
    assert not Alert.objects.filter(closed_at=None).exists()


@pytest.mark.parametrize("worked", [False, True], ids=["stopped", "workers were at work"])
def test_an_older_backup_loses_nothing(worlds: Worlds, ledger_account: LedgerAccount, worked: bool) -> None:
    for _ in range(20 if worked else 0):
        tasks.sweep()
    if not worked:
        in_conflict(worlds, ledger_account)
    kept = set(ChargingSession.objects.values_list("pk", flat=True))
    status, output, _ = run("ledger_restore", "--keys", str(worlds.keys), "--dry-run")
    assert status == 0 and "4 sessions would be restored" in output, output
    assert set(ChargingSession.objects.values_list("pk", flat=True)) == kept
    status, output, errors = run("ledger_restore", "--keys", str(worlds.keys))
    assert status == 0 and "4 sessions restored" in output, output + errors
    assert "1 sessions had ended a second time" in output and "got a new ledger id" in output
    assert ("in their blocks only (pruned)" in output) == (ledger_account.chain.state().floor > 0)
    drive(all_well)
    everything_is_there(worlds, ledger_account)
    status, output, _ = run("ledger_restore")
    assert status == 0 and "0 sessions restored, 16 already there" in output


def test_killed_anywhere_and_repeated_it_loses_nothing(worlds: Worlds, ledger_account: LedgerAccount) -> None:
    data_keys.restore(json.loads(worlds.keys.read_text()))
    for last in range(3, 1_000, 17):
        if ended_well(forked(lambda last=last: killed_at_statement(last))):  # type: ignore[misc]
            break
    drive(all_well)
    everything_is_there(worlds, ledger_account)


def killed_at_statement(last: int) -> None:
    """Restore, and die by SIGKILL before the statement of this number."""
    numbers: Iterator[int] = iter(range(last))

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if next(numbers, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        restore()
