"""The receipt on paper: one page of A4, the recorded figures, what they are compared with, every warning on top."""

import io
import json
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Browser
from pypdf import PdfReader
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from ledger import standalone
from ledger.models import LedgerEntry
from ledger.receipts import published
from stations.charging.corrections import session_credit
from stations.models import ChargingSession
from tests.api.conftest import caller_for
from tests.conftest import TARIFF, CloseSessions
from tests.people import browser_log_in
from tests.portal.conftest import MakeSession, MakeTransaction
from tests.portal.history.test_history import move, record_anew, text

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "The meter was read wrongly after its repair."


def altered(session: ChargingSession, owner: User) -> None:
    move(session, energy_wh=999_000, cost_minor=99_900, stop_reason="Local", transaction_id="another")


def taken_back(session: ChargingSession, owner: User) -> None:
    session_credit(session=session, reason=REASON, by=owner)


def both(session: ChargingSession, owner: User) -> None:
    taken_back(session, owner)
    altered(session, owner)


def untouched(session: ChargingSession, owner: User) -> None:
    """Nothing happened to it."""


@pytest.mark.parametrize(
    ("happened", "language"), [(untouched, "en"), (altered, "en"), (taken_back, "de"), (both, "en"), (both, "de")]
)
def test_it_is_one_page_of_a4(
    chromium: Browser,
    live_server: LiveServer,
    owner: User,
    make_session: MakeSession,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    happened: Callable[[ChargingSession, User], None],
    language: str,
) -> None:
    """Two pages in three of three prints, the second with three lines."""
    settings.OPERATOR_NAME, settings.OPERATOR_ADDRESS = "Harbour charging GmbH & Co. KG", "Quay 1|20457 Hamburg|Germany"
    settings.OPERATOR_CONTACT, settings.OPERATOR_VAT_ID = "help@harbour.example, +49 40 123456", "DE123456789"
    settings.LEDGER_CODE_UPDATED = "2026-11-30T08:00:00.000"
    monkeypatch.setattr(published, "published_ak", lambda key: "ab" * 32)  # a line more, as where keys are certified
    session = make_session()
    move(session, tariff=TARIFF, flags=["long_session"], meter_values_sha256="ab" * 32)
    record_anew(session)
    happened(session, owner)
    page = chromium.new_page(locale=language)
    browser_log_in(page, live_server.url, owner)
    page.goto(f"{live_server.url}/sessions/{session.pk}/receipt")
    sheets = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
    assert len(sheets) == 1, sheets[1].extract_text()
    printed = " ".join(sheets[0].extract_text().split())
    assert "Harbour charging GmbH & Co. KG" in printed and "DE123456789" in printed and "R-" in printed
    title, limits = {
        "en": ("Receipt of a charging session", "A receipt cannot know what came later"),
        "de": ("Beleg eines Ladevorgangs", "Ein Beleg kann nicht wissen"),
    }[language]
    assert title in printed and limits in printed
    assert "Download the file" not in printed and "Die Datei herunterladen" not in printed
    assert (round(sheets[0].mediabox.width), round(sheets[0].mediabox.height)) == (595, 842)
    page.close()


def test_it_names_all_that_it_is_compared_with(browser: Client, make_session: MakeSession, settings: Settings) -> None:
    settings.LEDGER_CODE_UPDATED = "2026-11-30T08:00:00.000"
    session = make_session()
    page = text(browser, f"/sessions/{session.pk}/receipt")
    for value in (
        *(settings.LEDGER_CHAIN_ID, ">evledger<", "PUB_R1_5hqx", settings.LEDGER_CODE_HASH),
        *("2026-11-30T08:00:00.000 UTC", "takes 12 steps", "/verify"),
        *standalone.checksums().values(),
    ):
        assert value in page, value
    assert "data-warning" not in page
    exact = text(browser, f"/sessions/{session.pk}")
    assert settings.LEDGER_CODE_HASH in exact and "2026-11-30T08:00:00.000" in exact


def test_what_differs_is_a_warning_at_its_top(browser: Client, make_session: MakeSession, owner: User) -> None:
    """P10: the printed receipt carries no warning."""
    session = make_session()
    altered(session, owner)
    page = text(browser, f"/sessions/{session.pk}/receipt")
    assert page.index('data-warning="mismatch"') < page.index('<div class="paper">')
    warning = page.partition('data-warning="mismatch"')[2].partition("</section>")[0]
    assert "Differs from its record." in warning and "This paper says what was recorded." in warning
    assert "cost: recorded 3.12 EUR, today 999.00 EUR" in warning
    paper = page.partition('<div class="paper">')[2]
    assert "<strong>7.78 kWh</strong>" in paper and "<strong>3.12 EUR</strong>" in paper and "999.00" not in paper


def test_the_file_is_of_what_was_recorded(browser: Client, make_session: MakeSession, owner: User) -> None:
    """P10: after 1 Wh is changed in the database, the receipt that one downloads is of the altered record."""
    session = make_session()
    before = browser.get(f"/sessions/{session.pk}/receipt.json").content
    altered(session, owner)
    assert browser.get(f"/sessions/{session.pk}/receipt.json").content == before
    assert caller_for(owner).get(f"sessions/{session.pk}/receipt").json() == json.loads(before)


def test_what_was_taken_back_is_said_at_its_top(
    browser: Client, make_session: MakeSession, owner: User, make_transaction: MakeTransaction
) -> None:
    session = make_session()
    credit = session_credit(session=session, reason=REASON, by=owner)
    ledger_id = LedgerEntry.objects.get(session=credit).pk
    page = text(browser, f"/sessions/{session.pk}/receipt")
    warning = page.partition('data-warning="superseded"')[2].partition("</section>")[0]
    assert "This session was taken back. It counts no more." in warning and REASON in warning
    assert f"by the credit with ledger id {ledger_id}" in warning
    assert 'class="facts taken-back"' in page
    row = make_transaction("IRREVERSIBLE", block_num=7, block_id="ab" * 32)
    LedgerEntry.objects.filter(session=credit).update(transaction=row)
    assert 'data-warning="credit"' in text(browser, f"/sessions/{credit.pk}/receipt")


def test_a_session_without_a_card_prints(browser: Client, close_sessions: CloseSessions, owner: User) -> None:
    (session,) = close_sessions(token=None)
    move(session, customer=owner)
    assert "It is still being recorded" in text(browser, f"/sessions/{session.pk}/receipt", status=409)
