"""The history page: what a driver finds on it, what the filter does, and what leaves it as a file."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from ledger import record
from ledger.models import LedgerEntry
from stations.models import ChargingSession, IdToken, Site, Station
from tests.conftest import CloseSessions
from tests.portal.conftest import MakeSession

pytestmark = pytest.mark.django_db


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content[:500]
    return " ".join(response.content.decode().split())


def download(client: Client, address: str, separator: str = ",") -> list[dict[str, str]]:
    response = client.get(address)
    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    content = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(content), delimiter=separator))


def move(session: ChargingSession, **fields: object) -> None:
    """Place a session elsewhere before the page is read; goes around the model, as its save() refuses."""
    ChargingSession.objects.filter(pk=session.pk).update(**fields)


def record_anew(session: ChargingSession) -> None:
    """As if it had been recorded as it is now."""
    session = ChargingSession.objects.get(pk=session.pk)
    entry = LedgerEntry.objects.get(session=session)
    assert entry.salt is not None
    canonical = record.canonical(record.record_of(session))
    digest = record.digest(bytes(entry.salt), canonical)
    LedgerEntry.objects.filter(pk=entry.pk).update(canonical=canonical, digest=digest)


# --- who sees what


def test_the_owner_sees_his_sessions_with_figures_and_state(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    page = text(browser, "/")
    assert f'data-session="{session.pk}"' in page
    assert "09:00 – 09:45 CET" in page  # 08:00 UTC at a site in Berlin, in winter
    assert "Europe/Berlin" in page
    assert "Sun 1 Mar 2026" in page
    assert "7.78" in page
    assert "3.12 EUR" in page
    assert "<strong>Recorded</strong>" in page
    assert "1,234,567" not in page  # the block is on the session's own page: here it would wrap in every row


def test_another_customer_sees_nothing_of_it(other_browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    page = text(other_browser, "/")
    assert "No charging session yet" in page
    assert str(session.pk) not in page
    assert download(other_browser, "/history.csv") == []


def test_a_stranger_is_asked_to_log_in(client: Client, make_session: MakeSession) -> None:
    session = make_session()
    response = client.get("/history.csv")
    assert (response.status_code, response["Location"]) == (302, "/login?next=/history.csv")
    page = text(client, "/")  # another page stands there
    assert str(session.pk) not in page and "My charging history" not in page and 'href="/login"' in page


def test_staff_with_the_right_see_all_sessions(staff_browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    page = text(staff_browser, "/")
    assert "All charging sessions" in page
    assert str(session.pk) in page


def test_the_empty_history_says_how_a_first_session_gets_here(browser: Client) -> None:
    page = text(browser, "/")
    assert "No charging session yet" in page
    assert "Link a card" in page
    assert "anna" in page


# --- the month


def test_without_a_session_this_month_the_latest_month_is_shown_and_named(
    browser: Client, make_session: MakeSession
) -> None:
    session, earlier = make_session(), make_session()
    move(earlier, started_at=datetime(2026, 2, 3, tzinfo=UTC), stopped_at=datetime(2026, 2, 3, 1, tzinfo=UTC))
    page = text(browser, "/")
    assert "March 2026" in page
    assert "The latest month with a session, against February 2026" in page
    assert "Feb 7.78 kWh" in page
    move(session, started_at=timezone.now() - timedelta(minutes=1), stopped_at=timezone.now())
    assert "This month, against" in text(browser, "/")


def test_a_month_begins_at_the_readers_midnight(browser: Client, owner: User, make_session: MakeSession) -> None:
    """23:30 UTC on 28 February is March in Berlin, and February in New York."""
    session = make_session()
    moment = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    move(session, started_at=moment, stopped_at=moment + timedelta(minutes=45))
    assert "March 2026" in text(browser, "/")
    owner.time_zone = "America/New_York"
    owner.save()
    assert "February 2026" in text(browser, "/")


# --- the filter


def test_totals_follow_the_filter_and_keep_currencies_apart(browser: Client, close_sessions: CloseSessions) -> None:
    sessions = close_sessions(3)
    move(sessions[0], currency="USD", cost_minor=100)
    record_anew(sessions[0])
    page = text(browser, "/")
    assert "<strong>3 sessions</strong>, 23.34 kWh" in page
    assert "6.24" in page
    assert "1.00" in page
    move(sessions[1], started_at=datetime(2026, 2, 3, tzinfo=UTC), stopped_at=datetime(2026, 2, 3, 1, tzinfo=UTC))
    assert "<strong>1 session</strong>, 7.78 kWh" in text(browser, "/?from=2026-02-01&to=2026-02-28")


def test_the_filter_by_site_and_by_state(browser: Client, make_session: MakeSession) -> None:
    recorded, waiting = make_session(), make_session(None)
    elsewhere = Station.objects.create(site=Site.objects.create(code="S2", name="Mill"), identity="CP-MILL-1")
    move(waiting, station=elsewhere)
    LedgerEntry.objects.filter(session=waiting).delete()
    for query, expected in {
        "site=S1": [recorded],
        "site=S2": [waiting],
        "state=recorded": [recorded],
        "state=none": [waiting],
        "state=pending": [],
        "state=mismatch": [],
        "site=S1&state=none": [],
    }.items():
        found = [row["session_id"] for row in download(browser, f"/history.csv?{query}")]
        assert found == [str(session.pk) for session in expected], query
        page = text(browser, f"/?{query}")
        assert all((str(session.pk) in page) == (session in expected) for session in (recorded, waiting)), query


def test_every_state_is_found_by_its_own_filter_and_by_no_other(browser: Client, make_session: MakeSession) -> None:
    made = {
        "recorded": [make_session()],
        "pending": [
            make_session(None),
            *(make_session(status) for status in ("SIGNED", "SENT", "EXPIRED", "DEFERRED")),
        ],
        "mismatch": [make_session(), make_session("CONFLICT")],
        "none": [make_session()],
    }
    LedgerEntry.objects.filter(session=made["mismatch"][0]).update(mismatch="another digest is on the chain")
    LedgerEntry.objects.filter(session=made["none"][0]).delete()
    for state, sessions in made.items():
        found = {row["session_id"] for row in download(browser, f"/history.csv?state={state}")}
        assert found == {str(session.pk) for session in sessions}, state


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=0001-01-01",
        "to=9999-12-31",
        "from=2026-03-02&to=2026-03-01",
        "site=%00",
        "site=S1%27%20OR%201=1",
        "state=%F0%9F%98%80",
        "state=recorded%00",
    ],
)
def test_a_filter_that_makes_no_sense_is_explained(browser: Client, make_session: MakeSession, query: str) -> None:
    session = make_session()
    page = text(browser, f"/?{query}")
    assert 'class="field-error"' in page
    assert "Expected" in page
    assert str(session.pk) not in page
    assert "Expected" in text(browser, f"/history.csv?{query}", status=400)


@pytest.mark.parametrize("page", ["0", "-1", "x", "%00", "9" * 5000, "1e9"])
def test_a_page_that_does_not_exist_is_another_page(browser: Client, make_session: MakeSession, page: str) -> None:
    session = make_session()
    assert str(session.pk) in text(browser, f"/?page={page}")


def test_the_filter_survives_paging(browser: Client, close_sessions: CloseSessions) -> None:
    close_sessions(30)
    page = text(browser, "/?from=2026-03-01&state=pending")
    assert "<strong>30 sessions</strong>" in page
    assert "Page 1 of 2" in page
    assert 'href="?from=2026-03-01&amp;state=pending&amp;page=2"' in page
    second = text(browser, "/?from=2026-03-01&state=pending&page=2")
    assert 'value="2026-03-01"' in second
    assert '<option value="pending" selected>' in second
    assert second.count("data-session=") == 10
    assert 'href="/history.csv?from=2026-03-01&amp;state=pending"' in second


# --- the file


def test_the_file_has_iso_times_wh_and_minor_units(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    (row,) = download(browser, "/history.csv")
    assert row["session_id"] == str(session.pk)
    assert (row["started_at"], row["stopped_at"]) == ("2026-03-01T08:00:00Z", "2026-03-01T08:45:00Z")
    assert (row["energy_wh"], row["cost_minor"], row["currency"]) == ("7780", "312", "EUR")
    assert (row["time_zone"], row["record_state"], row["block_num"]) == ("Europe/Berlin", "Recorded", "1234567")


@pytest.mark.parametrize("lead", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_is_never_a_formula(browser: Client, make_session: MakeSession, lead: str) -> None:
    session = make_session()
    name = f'{lead}HYPERLINK("http://evil.example")'
    move(session, transaction_id=f"{lead}1+1", location={"name": name, "time_zone": "Europe/Berlin"})
    (row,) = download(browser, "/history.csv")
    assert row["site"] == f"'{name}"
    assert row["transaction_id"] == f"'{lead}1+1"


def test_a_negative_number_stays_a_number(browser: Client, make_session: MakeSession) -> None:
    session, credited = make_session(), make_session()
    move(session, energy_wh=-500, credit=True, credit_reference=credited)
    assert "-500" in {row["energy_wh"] for row in download(browser, "/history.csv")}


# --- what must not happen


def test_a_text_from_a_station_is_never_markup(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    place = {"id": "S1", "name": "<script>alert(1)</script>", "time_zone": "../../etc/passwd"}
    move(session, location=place)
    record_anew(session)
    for address in ("/", f"/sessions/{session.pk}"):
        page = text(browser, address)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("location", [[], "x", 7, {"time_zone": 7}, {"name": "", "time_zone": ""}])
def test_a_place_that_somebody_spoilt_still_has_a_page(
    browser: Client, make_session: MakeSession, location: object
) -> None:
    session = make_session()
    move(session, location=location)
    assert "Differs from its record" in text(browser, "/")
    assert "Changed since it was recorded: place" in text(browser, f"/sessions/{session.pk}")


def test_the_page_asks_few_questions(
    browser: Client,
    close_sessions: CloseSessions,
    make_session: MakeSession,
    django_assert_max_num_queries: object,
) -> None:
    """Login session, user, second factor, newest, choices, sums by day, rows; however many rows."""
    make_session()
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        text(browser, "/")
    close_sessions(60)
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        text(browser, "/")


def test_a_session_without_energy_is_shown_without_energy(
    browser: Client, make_session: MakeSession, id_token: IdToken
) -> None:
    session = make_session()
    move(session, status="INVALID", energy_wh=None, cost_minor=None, currency="", flags=["meter_backwards"])
    record_anew(session)
    assert "–" in text(browser, "/")
    page = text(browser, f"/sessions/{session.pk}")
    assert "not billed" in page
    assert "The meter went backwards" in page
