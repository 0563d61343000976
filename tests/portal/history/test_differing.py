"""A session that was changed, or taken back, as its page, its receipt and programs tell it (P10, P12)."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from ledger.models import LedgerEntry
from stations.charging.corrections import Figures, session_correct, session_credit
from stations.models import ChargingSession, IdToken
from stations.models.corrections import Correction
from tests.api.conftest import caller_for
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import move, text

pytestmark = pytest.mark.django_db
REASON = "The meter was read wrongly after its repair."


def table(page: str) -> dict[str, tuple[str, str]]:
    """What the page says of each field that differs: (as recorded, as it is now)."""
    found = {}
    for part in page.split('<tr data-field="')[1:]:
        before = part.partition("As recorded")[2].partition('">')[2].partition("</td>")[0]
        now = part.partition("<strong>")[2].partition("</strong>")[0]
        found[part.partition('"')[0]] = before, now
    return found


# --- what differs


def test_the_page_says_field_by_field_what_is_different_in_words(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    move(
        session,
        **{"energy_wh": 7_781, "cost_minor": 999, "currency": "USD", "status": "INVALID", "flags": ["zero_energy"]},
        **{"stopped_at": session.started_at + timedelta(hours=1), "stop_reason": "Local"},
        location={"id": "S2", "name": "Mill", "country": "DEU", "time_zone": "Europe/Berlin"},
        id_token=IdToken.objects.create(uid="04FF"),
        transaction_id="another",
    )
    page = text(browser, f"/sessions/{session.pk}")
    assert table(page) == {
        "cost_minor": ("3.12 EUR", "9.99 USD"),
        "currency": ("EUR", "USD"),
        "energy_wh": ("7.780 kWh", "7.781 kWh"),
        "flags": ("not stated", "No energy was charged."),
        "id_token": ("card 04A2B3C4D5E680", "card 04FF"),
        "location": ("Harbour office, S1, DEU, Europe/Berlin", "Mill, S2, DEU, Europe/Berlin"),
        "status": ("Completed", "Invalid"),
        "stop_reason": ("the car was unplugged", "stopped at the station"),
        "stopped_at": ("1 Mar 2026, 09:45:00 CET", "1 Mar 2026, 10:00:00 CET"),
        "transaction_id": ("T1", "another"),
    }
    assert "cost_minor" not in page.replace('data-field="cost_minor"', "")


@pytest.mark.parametrize(
    "fields",
    [
        {"location": []},
        {"location": {"time_zone": 7}},
        {"flags": [7, {}]},
        {"tariff": {"name": []}},
        {"currency": "???"},
        {"energy_wh": None, "status": "INVALID"},
        {"cost_minor": 2**62},
        {"status": "ACTIVE"},
    ],
)
def test_whatever_somebody_wrote_into_the_row_has_a_page(
    browser: Client, make_session: MakeSession, fields: dict[str, object]
) -> None:
    session = make_session()
    move(session, **fields)
    page = text(browser, f"/sessions/{session.pk}")
    assert 'data-state="mismatch"' in page
    assert set(fields) & set(table(page))
    text(browser, "/")


def test_the_figures_are_the_recorded_ones_and_today_s_stand_beside(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    move(session, energy_wh=999_000, cost_minor=99_900)
    page = text(browser, f"/sessions/{session.pk}")
    sums = page.partition('<dl class="sums')[2].partition("</dl>")[0]
    assert "7.78" in sums and "3.12" in sums and "999.00" not in sums
    assert "These are the figures that were recorded, and that count." in page
    assert "Differs from its record" in page.partition("<h1>")[2].partition('<dl class="sums')[0]  # at the figures
    assert page.index('<dl class="sums') < page.index("Changed since it was recorded: cost, energy.")
    assert "The receipt is of what was recorded, not of what the database says today." in page


def test_a_check_that_found_it_takes_no_receipt_away(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    move(session, energy_wh=999_000)
    assert "today 999.000 kWh" in text(browser, f"/sessions/{session.pk}/verify")
    assert LedgerEntry.objects.get(session=session).mismatch
    assert "Download receipt" in text(browser, f"/sessions/{session.pk}")
    assert "7.78 kWh" in text(browser, "/")


@pytest.mark.parametrize(
    "fields",
    [
        {"digest": b"\x00" * 32},
        {"canonical": b"{}"},
        {"salt": b"\x00" * 32},
        {"mismatch": "another digest is on the chain: expected 00, found 01"},
    ],
)
def test_an_altered_record_has_no_receipt_and_the_page_says_why_and_whom_to_ask(
    browser: Client, make_session: MakeSession, fields: dict[str, object]
) -> None:
    session = make_session()
    LedgerEntry.objects.filter(session=session).update(**fields)
    page = text(browser, f"/sessions/{session.pk}")
    assert "There is no receipt of it any more." in page and "Ask the operator of your charges" in page
    assert "Nobody can confirm these figures:" in page
    for link in ("Download receipt", "Receipt to print", "Verify now"):
        assert link not in page
    for end in ("receipt.json", "receipt"):
        assert "Ask the operator of your charges" in text(browser, f"/sessions/{session.pk}/{end}", status=409)


# --- what was taken back


def test_page_and_programs_say_by_which_credit_when_and_why(
    browser: Client, make_session: MakeSession, owner: User
) -> None:
    session = make_session()
    assert session.stopped_at
    right = Figures(5_000, 200, session.started_at, session.stopped_at)
    credit, anew = session_correct(session=session, reason=REASON, figures=right, by=owner)
    ledger_id = LedgerEntry.objects.get(session=credit).pk
    page = text(browser, f"/sessions/{session.pk}")
    assert "Taken back: these figures do not count" in page.partition("<h1>")[2].partition('<dl class="sums struck"')[0]
    assert page.index('<dl class="sums struck"') < page.index("This session was taken back. It counts no more.")
    assert f"the credit has ledger id {ledger_id}" in page and REASON in page
    assert f'href="/sessions/{credit.pk}"' in page and f'href="/sessions/{anew.pk}"' in page
    taken_back = caller_for(owner).get(f"sessions/{session.pk}/ledger").json()["taken_back"]
    assert (taken_back["credit"], taken_back["ledger_id"], taken_back["reason"]) == (str(credit.pk), ledger_id, REASON)
    assert taken_back["at"] and taken_back["replacement"] == str(anew.pk)
    for one, part in ((credit, "credit"), (anew, "replacement")):
        page = text(browser, f"/sessions/{one.pk}")
        assert f'data-correction="{part}"' in page and f'href="/sessions/{session.pk}"' in page
        assert '<dl class="sums"' in page
        assert caller_for(owner).get(f"sessions/{one.pk}/ledger").json()["taken_back"] is None


def test_after_a_restoration_it_is_told_without_the_reason(
    browser: Client, make_session: MakeSession, owner: User
) -> None:
    """Reasons are not recorded; that a session was taken back is."""
    session = make_session()
    credit = session_credit(session=session, reason=REASON, by=owner)
    Correction.objects.all().delete()
    for one, part in ((session, "superseded"), (credit, "credit")):
        page = text(browser, f"/sessions/{one.pk}")
        assert f'data-correction="{part}"' in page and "The reason is not on record." in page


def test_a_session_that_stands_says_nothing_of_it(browser: Client, make_session: MakeSession, owner: User) -> None:
    session = make_session()
    assert "data-correction" not in text(browser, f"/sessions/{session.pk}")
    assert caller_for(owner).get(f"sessions/{session.pk}/ledger").json()["taken_back"] is None
    assert ChargingSession.objects.count() == 1
