"""The admin's home: first what needs a person, then how everything is; whatever is away, and however much there is."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.chain.nodeos import Nodeos
from ledger.admin import overview as ledger_overview
from ledger.models import AuditRun, LedgerEntry
from stations import silence
from stations.admin import overview
from stations.models import ChargingSession, Connector, Station
from stations.models.imports import ImportRun
from stations.places.credentials import station_seen
from tests.conftest import CloseSessions
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import text

pytestmark = pytest.mark.django_db
QUERIES_MAX = 21  # four of them: how the audit stands; one: keys of meters that wait
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


def seen(station: Station, *moments: datetime, monkeypatch: pytest.MonkeyPatch) -> Station:
    for moment in moments:
        monkeypatch.setattr("stations.charging.sessions.timezone.now", lambda moment=moment: moment)
        station_seen(station=station)
    monkeypatch.undo()
    return station


def test_everything_has_its_place_and_the_page_is_cheap(
    staff_browser: Client, make_session: MakeSession, close_sessions: CloseSessions, connector: Connector
) -> None:
    make_session("SENT")
    close_sessions(30)
    Station.objects.update(last_seen_at=timezone.now() - timedelta(days=3))
    for number in range(5):
        ImportRun.objects.create(file_name=f"{number}.csv", sha256="0" * 64, size=1, time_zone="UTC")
    staff_browser.get("/admin/")
    cache.clear()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = text(staff_browser, "/admin/")
    assert len(queries) <= QUERIES_MAX, [query["sql"][:120] for query in queries]
    places = [
        page.index(f"<h2>{title}</h2>")
        for title in (
            "What needs a person",
            "Ledger and chain",
            "Database and chain compared",
            "TPM services",
            "Sessions",
            "Stations silent for longer than usual",
            "Last imports",
        )
    ]
    assert places == sorted(places)
    assert "30 sessions wait to be recorded, the oldest for" in page
    assert "1 is on the way to the chain" in page
    assert "CP-HARBOUR-1</a>, Harbour office: last heard 3" in page
    assert "4.csv" in page and "1.csv" not in page


def test_how_the_audit_stands_is_said(staff_browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    page = text(staff_browser, "/admin/")
    assert "No full audit has ended yet." in page and "Start an audit" in page
    run = AuditRun.objects.create(
        kind=AuditRun.Kind.ROLLING, finished_at=timezone.now(), total=5, done=5, counts={"equal": 4, "different": 1}
    )
    AuditRun.objects.create(kind=AuditRun.Kind.ROLLING, total=4, done=1, error="no node answers")
    LedgerEntry.objects.filter(session=session).update(mismatch="changed since it was recorded: energy_wh")
    page = text(staff_browser, "/admin/")
    assert f'<a href="/admin/ledger/auditrun/{run.pk}/change/">The last full audit</a> ended' in page
    assert "5 records compared, <strong>1 difference found.</strong>" in page
    assert "1 record differs from the chain now." in page

    assert "/admin/ledger/ledgerentry/?record=mismatch" in page
    assert "The rolling audit has compared 25 % of this round." in page
    assert "The audit waits, and goes on by itself:" in page and "no node answers" in page


def test_a_chain_that_is_away_is_said_soon_and_asked_seldom(
    staff_browser: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 192.0.2.0/24 is for documentation: a node there never answers, not even with a refusal.
    settings.LEDGER_NODES = ["http://192.0.2.1:8888", "http://192.0.2.2:8888"]
    begun = time.monotonic()
    assert "The chain does not answer." in text(staff_browser, "/admin/")
    assert time.monotonic() - begun < 20  # a node may take a second, and a connection without a limit minutes
    monkeypatch.setattr("ledger.admin.overview.chain_for_pages", lambda: pytest.fail("asked again at once"))
    assert "The chain does not answer." in text(staff_browser, "/admin/")


def test_head_and_lag_of_a_real_chain(staff_browser: Client, chain_node: Nodeos, settings: Settings) -> None:
    settings.LEDGER_NODES, settings.LEDGER_CHAIN_ID = [chain_node.url], chain_node.info()["chain_id"]
    state = ledger_overview.chain_state()
    assert state.head >= state.irreversible > 0 and state.lag is not None and state.lag < timedelta(seconds=10)
    assert f"Chain: block {state.head:,}" in text(staff_browser, "/admin/")


def test_a_chain_that_stands_still_is_red() -> None:
    now = timezone.now()
    state = ledger_overview.ChainState(now, 10, now - timedelta(minutes=5), 8)
    assert state.stands_still and state.behind == 2
    assert not ledger_overview.ChainState(now, 10, now + timedelta(seconds=2), 8).stands_still


def test_without_redis_the_page_stands(staff_browser: Client, settings: Settings) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9/0"}
    }
    assert "Charging now" in text(staff_browser, "/admin/")


def test_days_and_months_are_those_of_the_reader(
    close_sessions: CloseSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)  # in Berlin it is 2 March already
    monkeypatch.setattr("stations.admin.overview.timezone.now", lambda: now)
    moments = (
        datetime(2026, 3, 1, 23, 15, tzinfo=UTC),
        datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
        datetime(2026, 2, 28, 23, 30, tzinfo=UTC),
        datetime(2026, 2, 3, tzinfo=UTC),
        datetime(2026, 1, 31, tzinfo=UTC),
    )
    for session, moment in zip(close_sessions(5, energy_wh=1_000), moments, strict=True):
        stopped = moment + HOUR
        ChargingSession.objects.filter(pk=session.pk).update(started_at=moment, stopped_at=stopped)

    def counts(zone: str) -> list[int]:
        found = overview.overview(ZoneInfo(zone))
        return [part.sessions for part in (found.today, found.yesterday, found.month, found.last_month)]

    assert counts("UTC") == [2, 1, 2, 2]
    assert counts("Europe/Berlin") == [1, 2, 3, 1]
    assert overview.overview(ZoneInfo("UTC")).last_month.energy_wh == 2_000


def test_a_station_is_silent_when_it_is_longer_than_usual(
    connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    station, now = connector.station, timezone.now()
    assert not Station.objects.silent(now).exists()  # never heard: it is not silent, it is new
    seen(station, now - 4 * HOUR, monkeypatch=monkeypatch)
    assert not Station.objects.silent(now).exists()  # nothing is known of its usual silence: a day
    assert Station.objects.silent(now + timedelta(hours=21)).exists()
    seen(station, now - 3 * HOUR, now - 2 * HOUR, monkeypatch=monkeypatch)
    assert not Station.objects.silent(now).exists()
    assert Station.objects.silent(now + 2 * HOUR).exists()  # three times an hour


def test_what_is_usual_is_learned_and_forgotten() -> None:
    assert silence.usual_s(None, HOUR) == 3600
    assert silence.usual_s(60, HOUR) == 3600
    usual = silence.usual_s(86_400, timedelta(minutes=5))
    assert 300 < usual < 86_400
    for _ in range(100):
        usual = silence.usual_s(usual, timedelta(minutes=5))
    assert usual == 300
    now = timezone.now()
    assert silence.expected_by(now, 1) == now + silence.AT_LEAST
    assert silence.expected_by(now, 10**7) == now + silence.AT_MOST


def test_the_backlog_has_an_age(close_sessions: CloseSessions) -> None:
    (session,) = close_sessions(1)
    LedgerEntry.objects.filter(session=session).update(opened_at=timezone.now() - HOUR)
    backlog = ledger_overview.backlog_ready()
    assert backlog.count == 1 and backlog.age is not None and HOUR <= backlog.age < 2 * HOUR
    assert ledger_overview.backlog_on_its_way() == ledger_overview.Backlog(0, None)
