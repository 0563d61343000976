"""A charge counts once, with what was recorded of it: on pages, papers, in files and for programs alike."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from ledger.models import Alert, LedgerEntry
from portal.statements import statements
from stations.admin.overview import overview
from stations.charging.corrections import Figures, session_correct, session_credit
from stations.models import ChargingSession
from stations.zones import zone_named
from tests.api.conftest import caller_for
from tests.conftest import CloseSessions
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import download, move, text
from tests.portal.history.test_history_figures import sums

pytestmark = pytest.mark.django_db
REASON = "The meter was read wrongly after its repair."
Corrected = tuple[ChargingSession, ChargingSession, ChargingSession]
Correct = Callable[[], Corrected]


@pytest.fixture
def correct(make_session: MakeSession, owner: User) -> Correct:
    """A recorded session of 7.78 kWh and 3.12 EUR, its credit, and the charge recorded anew: 5 kWh, 2.00 EUR."""

    def make() -> Corrected:
        session = make_session()
        assert session.stopped_at
        right = Figures(5_000, 200, session.started_at, session.stopped_at)
        return session, *session_correct(session=session, reason=REASON, figures=right, by=owner)

    return make


def row(page: str, session: ChargingSession) -> str:
    """The row of a session in the history's list."""
    return page.partition(f'data-session="{session.pk}"')[2].partition("</tr>")[0]


def counted(rows: list[dict[str, str]]) -> tuple[int, int]:
    return sum(int(row["counted_energy_wh"] or 0) for row in rows), sum(
        int(row["counted_cost_minor"] or 0) for row in rows
    )


def test_a_corrected_charge_counts_once_everywhere(browser: Client, owner: User, correct: Correct) -> None:
    """P13: "4 sessions" for 2 charges."""
    correct(), correct()
    page = text(browser, "/")
    assert sums(page) == "2 sessions, 10.00 kWh, 4.00 EUR"
    assert page.count("data-session=") == 6
    rows = download(browser, "/history.csv")
    assert counted(rows) == (10_000, 400)
    where = zone_named("Europe/Berlin")
    (year,) = statements.years_of(owner)
    paper = statements.statement_of(owner, year.months[0].period, where)
    assert paper is not None
    for found in (year.year, year.months[0], paper.sums):
        assert (found.totals.sessions, found.totals.energy_wh, found.credits) == (2, 10_000, 2)
        assert found.totals.costs == [(400, "EUR")]
    assert sum(line.counted.energy_wh or 0 for line in paper.billed) == 10_000
    (month,) = caller_for(owner, ["statements.read"]).get("statements").json()["months"]
    assert (month["sessions"], month["energy_wh"]) == (2, 10_000)


def test_the_admins_home_counts_it_once(make_session: MakeSession, owner: User, correct: Correct) -> None:
    correct()
    when = overview(zone_named("UTC")).at
    ChargingSession.objects.update(started_at=when, stopped_at=when)
    today = overview(zone_named("UTC")).today
    assert (today.sessions, today.energy_wh) == (1, 5_000)


def test_what_was_taken_back_is_struck_through_and_said(browser: Client, correct: Correct) -> None:
    session, credit, anew = correct()
    page = text(browser, "/")
    taken_back = row(page, session)
    assert "<s>7.78</s>" in taken_back and "<s>3.12 EUR</s>" in taken_back
    assert taken_back.count("taken back, does not count:") == 2 and "Taken back" in taken_back
    assert ">Credit<" in row(page, credit) and "-7.78" in row(page, credit)
    assert "<s>" not in row(page, anew) and "Taken back" not in row(page, anew)
    assert {line["session_id"]: line["record"] for line in download(browser, "/history.csv")} == {
        str(session.pk): "superseded",
        str(credit.pk): "credit",
        str(anew.pk): "pending",
    }


def test_without_a_replacement_nothing_counts(browser: Client, make_session: MakeSession, owner: User) -> None:
    session_credit(session=make_session(), reason=REASON, by=owner)
    page = text(browser, "/")
    assert sums(page) == "0 sessions, 0.00 kWh, –"


def test_a_mismatch_is_marked_at_once_and_its_amount_is_the_recorded_one(
    browser: Client, make_session: MakeSession, owner: User
) -> None:
    """P13: the altered one says "Recorded" and its false amount is in the total. Nobody checked anything before."""
    session, _ = make_session(), make_session()
    move(session, energy_wh=999_000, cost_minor=99_900)
    page = text(browser, "/")
    assert sums(page) == "2 sessions, 15.56 kWh, 6.24 EUR"
    assert "1 session differs from its record" in page and "The sums use the record as it was kept" in page
    marked = row(page, session)
    assert "state-mismatch" in marked and "<strong>Differs from its record</strong>" in marked
    assert "7.78" in marked and "changed to 999.000 kWh, 999.00 EUR" in marked
    assert LedgerEntry.objects.get(session=session).mismatch == "changed since it was recorded: cost_minor, energy_wh"
    assert Alert.objects.get(code="mismatch").closed_at is None
    assert str(session.pk) in text(browser, "/?state=mismatch")
    rows = download(browser, "/history.csv")
    assert counted(rows) == (15_560, 624)
    (found,) = [line for line in rows if line["session_id"] == str(session.pk)]
    assert (found["record"], found["energy_wh"], found["counted_energy_wh"]) == ("mismatch", "999000", "7780")


def test_an_altered_kept_record_is_left_out_and_said(browser: Client, make_session: MakeSession) -> None:
    session, _ = make_session(), make_session()
    LedgerEntry.objects.filter(session=session).update(digest=b"\x00" * 32)
    page = text(browser, "/")
    assert sums(page) == "1 session, 7.78 kWh, 3.12 EUR"
    assert "1 session is left out of the sums" in page
    assert counted(download(browser, "/history.csv")) == (7_780, 312)


def test_a_session_changed_into_a_credit_counts_as_it_was_recorded(browser: Client, make_session: MakeSession) -> None:
    session, _ = make_session(), make_session()
    move(session, credit=True, credit_reference=session, energy_wh=-7_780, cost_minor=-312)
    page = text(browser, "/")
    assert "state-mismatch" in row(page, session) and ">Credit<" not in row(page, session)
    move(session, status="INVALID", credit=False, credit_reference=None)
    page = text(browser, "/")
    assert "not billed" not in row(page, session)
    assert sums(page) == "2 sessions, 15.56 kWh, 6.24 EUR"


def test_programs_read_the_same(owner: User, correct: Correct, make_session: MakeSession) -> None:
    session, credit, anew = correct()
    altered = make_session()
    move(altered, energy_wh=1)
    rows = caller_for(owner, ["sessions.read"]).get("sessions").json()["results"]
    found: dict[str, Any] = {one["id"]: one for one in rows}
    words = {"superseded": session, "credit": credit, "pending": anew, "mismatch": altered}
    assert {str(one.pk): word for word, one in words.items()} == {pk: one["record"] for pk, one in found.items()}
    assert found[str(session.pk)]["credited_by"] == str(credit.pk)
    assert found[str(session.pk)]["counted"] is None and found[str(credit.pk)]["counted"] is None
    assert found[str(anew.pk)]["counted"] == {"energy_wh": 5_000, "cost_minor": 200, "currency": "EUR"}
    assert found[str(altered.pk)]["counted"]["energy_wh"] == 7_780


def test_it_costs_one_query_more_however_many_differ(
    browser: Client, close_sessions: CloseSessions, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sessions = close_sessions(30)
    for session in sessions:
        move(session, energy_wh=1)
    text(browser, "/"), text(browser, "/?page=2")
    with django_assert_max_num_queries(9):
        page = text(browser, "/")
    assert "30 sessions differ from their records" in page
    assert sums(page) == "30 sessions, 233.40 kWh, 93.60 EUR"


def test_a_file_of_many_reads_with_few_questions(
    browser: Client, close_sessions: CloseSessions, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    close_sessions(40)
    with django_assert_max_num_queries(8):
        content = b"".join(browser.get("/history.csv").streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert len(list(csv.DictReader(io.StringIO(content)))) == 40
