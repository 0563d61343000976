"""Whoever writes to the database shows: in the audit, on the page's check and in the receipt."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.chain.nodeos import Nodeos
from ledger.audit.audit import audit, entry_check
from ledger.errors import NotRecordedYet
from ledger.models import Alert, LedgerEntry
from ledger.receipts import checks
from ledger.state.row import differences
from stations.charging.sessions import meter_values_add, session_close, session_start
from stations.charging.vocabulary import Sample
from stations.models import ChargingSession, Connector, MeterValue
from tests.conftest import SIGNED, TARIFF, CloseSessions, LedgerAccount

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recorded(
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    settings: Settings,
) -> list[ChargingSession]:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    sessions = close_sessions(3, tariff=TARIFF, **SIGNED)
    record_all()
    return sessions


def audit_command() -> tuple[int, dict[str, object]]:
    output = io.StringIO()
    try:
        call_command("ledger_audit", "--json", stdout=output)
    except SystemExit as stop:
        return int(str(stop.code)), json.loads(output.getvalue())
    return 0, json.loads(output.getvalue())


def test_untouched_is_equal(recorded: list[ChargingSession]) -> None:
    status, report = audit_command()
    assert (status, report["equal"], report["missing"], report["different"]) == (0, 3, 0, 0)


FIELDS: list[tuple[str, object]] = [
    ("energy_wh", 7_781),
    ("cost_minor", 313),
    ("currency", "USD"),
    ("transaction_id", "T99"),
    ("stop_reason", "Local"),
    ("meter_start_wh", 999),
    ("meter_stop_wh", 9_999),
    ("location", {"id": "S2"}),
    ("flags", ["zero_energy"]),
    ("status", "INVALID"),
    ("id_token", None),
    ("meter_values_sha256", "00" * 32),
    ("started_at", datetime(2026, 3, 1, 7, 59, tzinfo=UTC)),
    ("stopped_at", datetime(2026, 3, 2, 7, 59, tzinfo=UTC)),
    ("source", "IMPORT"),
    ("tariff", TARIFF | {"price_per_kwh": "0.2726"}),
    ("tariff", {}),
    ("signed_meter_values", []),
    ("meter_public_key", ""),
    ("cost_lines", [{"kind": "FLAT", "amount_minor": 312}]),
]


def test_each_changed_field_shows_everywhere(recorded: list[ChargingSession]) -> None:
    entry = LedgerEntry.objects.get(session=recorded[1])
    row = ChargingSession.objects.filter(pk=recorded[1].pk)
    for field, value in FIELDS:
        kept = getattr(row.get(), field)
        row.update(**{field: value})
        report = audit()
        assert (report.clean, report.equal, report.different) == (False, 2, 1)
        assert field in report.findings[0].message
        entry = LedgerEntry.objects.get(pk=entry.pk)
        assert differences(entry) == [field]
        assert field in entry_check(entry=entry).reason
        assert Alert.objects.filter(code="mismatch", closed_at__isnull=True).exists()
        check = checks.verify_session(row.get())
        assert check.verdict == "NOT VALID"
        failed = [step.number for step in check.steps if step.outcome == "failed"]
        assert failed in ([1], [1, 12]), field  # what is said of the meter's signatures may contradict itself, too
        row.update(**{field: kept})
    assert audit().clean


def test_one_watt_hour_more_and_the_command_says_so(recorded: list[ChargingSession]) -> None:
    ChargingSession.objects.filter(pk=recorded[1].pk).update(energy_wh=7_781)
    status, report = audit_command()
    assert (status, report["equal"], report["different"]) == (1, 2, 1)
    assert "recorded 7780, now 7781" in str(report["findings"])


def test_a_changed_meter_value_shows(
    ledger_account: LedgerAccount, connector: Connector, record_all: Callable[[], None]
) -> None:
    started_at = timezone.now() - timedelta(hours=1)
    session, _ = session_start(
        station=connector.station, transaction_id="M1", started_at=started_at, meter_start_wh=1000
    )
    middle = started_at + timedelta(minutes=20)
    meter_values_add(session=session, samples=[Sample(middle, Decimal(3000))])
    session_close(session=session, stopped_at=started_at + timedelta(minutes=40), meter_stop_wh=5000)
    record_all()
    assert audit().clean
    MeterValue.objects.update(value=3001)
    report = audit()
    assert report.different == 1 and "meter_values" in report.findings[0].message
    assert "meter_values" in entry_check(entry=LedgerEntry.objects.get()).reason


def test_a_restored_value_closes_the_alert(recorded: list[ChargingSession]) -> None:
    entry = LedgerEntry.objects.get(session=recorded[0])
    ChargingSession.objects.filter(pk=recorded[0].pk).update(energy_wh=1)
    assert not entry_check(entry=LedgerEntry.objects.get(pk=entry.pk)).ok
    ChargingSession.objects.filter(pk=recorded[0].pk).update(energy_wh=7_780)
    assert entry_check(entry=LedgerEntry.objects.get(pk=entry.pk)).ok
    assert not Alert.objects.filter(closed_at__isnull=True).exists()


def test_a_forger_who_recomputes_the_digest_is_found_by_the_chain(recorded: list[ChargingSession]) -> None:
    """Row, record, salt and digest all altered so that they agree: only the chain knows better."""
    from ledger import record

    session = ChargingSession.objects.get(pk=recorded[0].pk)
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=1)
    session.refresh_from_db()
    canonical = record.canonical(record.record_of(session))
    LedgerEntry.objects.filter(session=session).update(
        canonical=canonical, salt=b"f" * 32, digest=record.digest(b"f" * 32, canonical)
    )
    entry = LedgerEntry.objects.get(session=session)
    assert differences(entry) == []
    assert "another digest" in entry_check(entry=entry).reason
    assert audit().different == 1
    assert checks.verify_session(session).verdict == "NOT VALID"


def test_deleted_sessions_and_entries_show(recorded: list[ChargingSession]) -> None:
    LedgerEntry.objects.filter(session=recorded[0]).delete()
    ChargingSession.objects.filter(pk=recorded[0].pk).delete()
    LedgerEntry.objects.filter(session=recorded[1]).delete()
    status, report = audit_command()
    assert (status, report["equal"], report["unknown"], report["not_entered"]) == (1, 1, 2, 1)


def test_a_recorded_session_cannot_be_deleted_by_accident(recorded: list[ChargingSession]) -> None:
    from django.db.models import ProtectedError

    with pytest.raises(ProtectedError):
        recorded[0].delete()


def test_no_receipt_before_it_is_irreversible(ledger_account: LedgerAccount, close_sessions: CloseSessions) -> None:
    (session,) = close_sessions()
    with pytest.raises(NotRecordedYet, match="READY"):
        checks.receipt_for(session)


def test_a_closed_session_is_not_changed_through_the_model(recorded: list[ChargingSession]) -> None:
    from stations.models import SessionClosedError

    session = ChargingSession.objects.get(pk=recorded[0].pk)
    session.energy_wh = 1
    with pytest.raises(SessionClosedError):
        session.save()
