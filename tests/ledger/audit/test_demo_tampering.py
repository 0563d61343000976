"""`make demo` after its own step 4: a changed session neither stops it nor stays unsaid."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from dev import tamper
from dev.common.steps import StackError
from dev.stack import __main__ as main
from dev.stack import portal
from stations.models import ChargingSession
from tests.conftest import CloseSessions, LedgerAccount

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_was_changed_is_named(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(3)
    record_all()
    assert main._compared() == ""
    ours = ChargingSession.objects.order_by("started_at")[0]
    assert tamper.tamper(ours.pk, 1) == ours.pk
    said = main._compared()
    assert str(ours.pk) in said
    assert "1 of them no longer equal what was recorded" in said
    assert "ledger_restore --repair" in said
    assert ChargingSession.objects.get(pk=ours.pk).energy_wh == (ours.energy_wh or 0) + 1


@pytest.mark.usefixtures("ledger_account")
def test_an_import_that_finds_other_figures_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    head = portal.DATA.read_text().splitlines(keepends=True)[:3]
    data = tmp_path / "sessions.csv"
    data.write_text("".join(head))
    monkeypatch.setattr(portal, "REPORT", tmp_path / "report.csv")
    portal.import_sessions(data)
    assert tamper.tamper(None, 1) is not None
    with pytest.raises(CommandError, match="left out"):
        call_command("import_sessions", str(data), time_zone=portal.DATA_ZONE)
    portal.import_sessions(data)  # says so in its report, and goes on
    assert "different" in portal.REPORT.read_text()


def test_what_cannot_be_read_stops_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(portal, "REPORT", tmp_path / "report.csv")
    with pytest.raises(StackError, match="import_sessions"):
        portal.import_sessions(tmp_path / "nothing.csv")


@pytest.mark.usefixtures("ledger_account")
def test_without_a_session_there_is_nothing_to_change() -> None:
    assert tamper.tamper(None, 1) is None
