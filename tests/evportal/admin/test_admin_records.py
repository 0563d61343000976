"""How records stand, in the admin's lists and on a session's page there: in the words of the driver's pages."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from ledger.models import LedgerEntry
from stations.charging.corrections import session_credit
from stations.models import ChargingSession
from tests.conftest import CloseSessions
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import move, text

pytestmark = pytest.mark.django_db
SESSIONS, ENTRIES = "/admin/stations/chargingsession/", "/admin/ledger/ledgerentry/"


@pytest.fixture
def made(make_session: MakeSession) -> dict[str, ChargingSession]:
    """A session for each way in which a record can stand."""
    found = {name: make_session() for name in ("recorded", "mismatch", "conflict", "erased", "none")}
    found["pending"] = make_session("SENT")
    entries = LedgerEntry.objects
    entries.filter(session=found["mismatch"]).update(mismatch="another digest is on the chain")
    entries.filter(session=found["conflict"]).update(conflict="ledger id 17: expected digest 01, found 02")
    entries.filter(session=found["erased"]).update(salt=None, canonical=None, erased_at=timezone.now())
    entries.filter(session=found["none"]).delete()
    return found


def test_each_state_has_its_word_and_its_filter(staff_browser: Client, made: dict[str, ChargingSession]) -> None:
    page = text(staff_browser, SESSIONS)
    assert [page.count(f"ev-record-{state}") for state in made] == [1] * 6
    for state, session in made.items():
        found = text(staff_browser, f"{SESSIONS}?record={state}")
        assert f"/{session.pk}/change/" in found and found.count("ev-record-") == 1, state
        if state != "none":
            found = text(staff_browser, f"{ENTRIES}?record={state}")
            assert f"{str(session.pk)[:8]}…" in found and found.count("ev-record-") == 1, state
    assert "0 charging sessions" in text(staff_browser, f"{SESSIONS}?record=x")
    assert "0 ledger entries" in text(staff_browser, f"{ENTRIES}?record=none")


def test_a_changed_session_is_marked_by_whoever_looks_at_the_list(
    staff_browser: Client, make_session: MakeSession
) -> None:
    session = make_session()
    move(session, energy_wh=7_781, cost_minor=999)
    assert "Differs from its record</span>" in text(staff_browser, SESSIONS)
    assert LedgerEntry.objects.get(session=session).mismatch == "changed since it was recorded: cost_minor, energy_wh"
    assert str(session.pk) in text(staff_browser, f"{SESSIONS}?record=mismatch")


def test_what_was_taken_back_is_said_in_the_list(staff_browser: Client, make_session: MakeSession, owner: User) -> None:
    session_credit(session=make_session(), reason="The meter was read wrongly.", by=owner)
    page = text(staff_browser, SESSIONS)
    assert "Recorded</span>, taken back" in page and "Being recorded</span>, credit" in page


def test_the_page_of_a_session_says_what_differs(staff_browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    assert 'data-record="recorded"' in text(staff_browser, f"{SESSIONS}{session.pk}/change/")
    move(session, cost_minor=999)
    page = text(staff_browser, f"{SESSIONS}{session.pk}/change/")
    assert 'data-record="mismatch"' in page and "Changed since it was recorded: cost." in page
    row = page.partition('data-field="cost_minor"')[2].partition("</tr>")[0]
    assert "3.12 EUR" in row and "<strong>9.99 EUR</strong>" in row


@pytest.mark.parametrize("address", [SESSIONS, ENTRIES])
def test_a_list_asks_the_same_however_long_it_is(
    staff_browser: Client, close_sessions: CloseSessions, address: str
) -> None:
    close_sessions(2)
    text(staff_browser, address)
    with CaptureQueriesContext(connection) as few:
        text(staff_browser, address)
    close_sessions(30)
    with CaptureQueriesContext(connection) as many:
        text(staff_browser, address)
    assert len(many) <= len(few)
