"""One session: its figures, its state in words, its receipt; and that nobody else gets at it."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from ledger.models import LedgerEntry
from stations.models import ChargingSession, Connector, MeterValue
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import move, text

pytestmark = pytest.mark.django_db
OpenedAgo = Callable[[ChargingSession, timedelta], None]
ADDRESSES = ("", "/receipt.json", "/verify")


def entry(session: ChargingSession) -> LedgerEntry:
    return LedgerEntry.objects.get(session=session)


# --- who sees what


@pytest.mark.parametrize("end", ADDRESSES)
def test_another_customer_cannot_tell_it_from_nothing(
    other_browser: Client, make_session: MakeSession, end: str
) -> None:
    session = make_session()
    there = other_browser.get(f"/sessions/{session.pk}{end}")
    nowhere = other_browser.get(f"/sessions/00000000-0000-4000-8000-000000000000{end}")
    assert there.status_code == nowhere.status_code == 404
    assert "Nothing here" in there.content.decode()


@pytest.mark.parametrize("end", ADDRESSES)
def test_a_stranger_learns_nothing(client: Client, make_session: MakeSession, end: str) -> None:
    session = make_session()
    for pk in (session.pk, "00000000-0000-4000-8000-000000000000"):
        response = client.get(f"/sessions/{pk}{end}")
        assert response.status_code == 302
        assert response["Location"] == f"/login?next=/sessions/{pk}{end}"


def test_nothing_of_it_is_kept_by_caches(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    for address in ("/", "/history.csv", *(f"/sessions/{session.pk}{end}" for end in ADDRESSES)):
        assert "no-store" in browser.get(address)["Cache-Control"]


# --- the words


def test_recorded(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    page = text(browser, f"/sessions/{session.pk}")
    assert 'data-state="recorded"' in page
    assert "<strong>Recorded</strong>, block 1,234,567, 09:45:07" in page
    assert "Download receipt" in page
    assert "Verify now" in page
    assert "card 04A2B3C4D5E680" in page
    assert "the car was unplugged" in page
    for value in (bytes(entry(session).digest).hex(), "0012d687" + "ab" * 28, str(session.pk), "SIG_R1_"):
        assert value in page


@pytest.mark.parametrize("status", [None, "BATCHED", "SIGNED", "SENT", "IN_BLOCK"])
def test_being_recorded(browser: Client, make_session: MakeSession, status: str | None) -> None:
    fields = {"block_num": 7} if status == "IN_BLOCK" else {}
    session = make_session(status, **fields)
    page = text(browser, f"/sessions/{session.pk}")
    assert 'data-state="pending"' in page
    assert "<strong>Being recorded</strong>, since " in page
    assert "Download receipt" not in page
    assert "data-moving" in page


def test_how_long_it_takes_is_what_it_took_lately(browser: Client, make_session: MakeSession) -> None:
    session = make_session("SENT")
    assert "Lately" not in text(browser, f"/sessions/{session.pk}")
    begun = timezone.now()
    make_session(created_at=begun, irreversible_at=begun + timedelta(seconds=4))
    assert "Lately recording took 4 s." in text(browser, f"/sessions/{session.pk}")


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        ("DEFERRED", "ram", "too little storage"),
        ("DEFERRED", "authority", "does not accept the operator's signature"),
        ("BATCHED", "tpm_lockout", "device that signs records is not available"),
        ("BATCHED", "chain_unreachable", "chain cannot be reached"),
        ("SENT", "outcome_unknown", "did not answer in time"),
        ("EXPIRED", "", "did not take the record in time"),
    ],
)
def test_later_than_usual_says_why_and_that_nothing_is_lost(
    browser: Client, make_session: MakeSession, status: str, code: str, reason: str
) -> None:
    session = make_session(status, error_code=code)
    page = text(browser, f"/sessions/{session.pk}").replace("&#x27;", "'")
    assert 'data-state="late"' in page
    assert "<strong>Being recorded</strong>, later than usual, since " in page
    assert reason in page
    assert "Nothing is lost" in page


def test_what_waits_for_long_is_late_without_any_error(
    browser: Client, make_session: MakeSession, opened_ago: OpenedAgo
) -> None:
    session = make_session(None)
    opened_ago(session, timedelta(minutes=3))
    assert "later than usual" in text(browser, f"/sessions/{session.pk}")


def test_one_wh_more_does_not_match_and_the_field_is_named(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    move(session, energy_wh=7_781)
    page = text(browser, f"/sessions/{session.pk}")
    assert 'data-state="mismatch"' in page
    assert "Changed since it was recorded: energy." in page
    assert 'data-name="As recorded">7.780 kWh<' in page
    assert "<strong>7.781 kWh</strong>" in page
    assert "<strong>Differs from its record</strong>" in text(browser, "/")


def test_a_changed_meter_value_does_not_match(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    MeterValue.objects.create(session=session, sampled_at=session.started_at, value=Decimal(1000))
    assert "Changed since it was recorded: meter values." in text(browser, f"/sessions/{session.pk}")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"mismatch": "step 10 of the check failed: The chain's table holds the same digest"},
            "A check found: step 10",
        ),
        ({"conflict": "ledger id 17: expected digest 01…, found 02…"}, "something else stands in its place"),
        ({"digest": b"\x00" * 32}, "the stored record itself"),
    ],
)
def test_a_conflict_and_a_failed_check_do_not_match(
    browser: Client, make_session: MakeSession, fields: dict[str, object], words: str
) -> None:
    session = make_session()
    LedgerEntry.objects.filter(session=session).update(**fields)
    page = text(browser, f"/sessions/{session.pk}")
    assert 'data-state="mismatch"' in page
    assert words in page


def test_not_recorded_says_why(browser: Client, make_session: MakeSession, connector: Connector) -> None:
    session = make_session()
    entry(session).delete()
    assert "It ended before recording on the chain began." in text(browser, f"/sessions/{session.pk}")
    active = ChargingSession.objects.create(
        station=connector.station,
        connector=connector,
        transaction_id="now",
        customer=session.customer,
        location=session.location,
        started_at=timezone.now() - timedelta(minutes=5),
        source="STATION",
    )
    page = text(browser, f"/sessions/{active.pk}")
    assert "Recorded when it ends" in page and "It is still charging." in page
    assert "Not recorded" not in page
    assert "since " in text(browser, "/")


def test_the_first_level_is_free_of_jargon(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    first_level = text(browser, f"/sessions/{session.pk}").partition("The record in exact terms")[0]
    visible = (first_level + text(browser, "/")).partition("<main")[2].lower()
    for word in ("hash", ">tx", "immutable", "blockchain", "digest"):
        assert word not in visible, word


def test_flags_are_sentences(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    move(session, flags=["zero_energy", "long_session", "from_the_future"])
    page = text(browser, f"/sessions/{session.pk}")
    for words in ("No energy was charged.", "plugged in for longer than a day", "from_the_future"):
        assert words in page


def test_the_page_asks_few_questions(
    browser: Client, make_session: MakeSession, django_assert_max_num_queries: object
) -> None:
    session = make_session()
    with django_assert_max_num_queries(9):  # type: ignore[operator]
        text(browser, f"/sessions/{session.pk}")


# --- the receipt


def test_the_receipt_is_a_file_named_after_the_session(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    response = browser.get(f"/sessions/{session.pk}/receipt.json")
    assert response["Content-Disposition"] == f'attachment; filename="evportal-receipt-{session.pk}.json"'
    receipt = json.loads(response.content)
    assert receipt["format"] == "evportal-receipt/2"
    assert receipt["record"]["id"] == str(session.pk)
    assert receipt["ledger_id"] == str(entry(session).pk)
    assert receipt["digest"] == bytes(entry(session).digest).hex()


@pytest.mark.parametrize("end", ["/receipt.json", "/verify"])
@pytest.mark.parametrize("status", [None, "SENT", "DEFERRED"])
def test_there_is_no_receipt_before_it_is_recorded(
    browser: Client, make_session: MakeSession, status: str | None, end: str
) -> None:
    session = make_session(status)
    assert "It is still being recorded." in text(browser, f"/sessions/{session.pk}{end}", status=409)


def test_an_erased_record_has_no_receipt_and_no_secrets(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    LedgerEntry.objects.filter(session=session).update(salt=None, canonical=None, erased_at=timezone.now())
    page = text(browser, f"/sessions/{session.pk}")
    assert "Its personal data were erased" in page
    assert "Download receipt" not in page
    assert "erased" in text(browser, f"/sessions/{session.pk}/receipt.json", status=409)


def test_the_check_names_the_nodes_and_decides_nothing_without_them(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    page = text(browser, f"/sessions/{session.pk}/verify")
    assert "NOT DECIDED" in page
    assert page.count("data-step=") == 12
    assert 'data-step="1" data-outcome="ok"' in page
    assert "http://127.0.0.1:9, http://127.0.0.1:10" in page
    assert f"verify_receipt.py evportal-receipt-{session.pk}.json" in page
    assert "A chain with one producer proves nothing against its operator" in page
    assert entry(session).mismatch == ""


def test_the_check_finds_a_changed_session_even_without_nodes(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    move(session, cost_minor=311)
    page = text(browser, f"/sessions/{session.pk}/verify")
    assert ">NOT VALID<" in page
    assert "Step 1 failed" in page
    assert "cost: recorded 3.12 EUR, today 3.11 EUR" in page


def test_everybody_gets_the_script(client: Client) -> None:
    response = client.get("/verify_receipt.py")
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert content.startswith(b"#!/usr/bin/env python3")
