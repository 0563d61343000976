"""What a stranger sees: the first page with its sample, imprint and privacy; in a real browser and as text."""

import pytest
from django.test import Client
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from ledger.receipts.words import MEANINGS
from tests.people import log_in
from tests.portal.history.test_history import text
from tests.readers import SIZES, Reader, reader_at

SCREENS = [("wide", "light", "en"), ("narrow", "dark", "de")]


@pytest.mark.parametrize(("size", "scheme", "language"), SCREENS)
@pytest.mark.django_db(transaction=True)
def test_a_stranger_alters_the_sample_and_sees_it_fail(
    chromium: Browser, live_server: LiveServer, size: str, scheme: str, language: str
) -> None:
    """The real check, in the page; nobody is asked: neither a node nor we."""
    reader = reader_at(chromium, live_server.url, size, scheme, language)
    reader.go("/")
    verdict, reason = reader.page.locator("#verdict"), reader.page.locator("#reason")
    expect(verdict).to_have_text(reader.says("VERIFIED"))
    reader.fine("landing")
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    for field in ("#energy", "#cost"):
        reader.page.locator(field).fill("99.99")
        expect(verdict).to_have_text(reader.says("NOT VALID"))
        expect(verdict).to_have_class("verdict outcome-failed")
        expect(reason).to_have_text(reader.says(str(MEANINGS[1])))
        reader.press("Put it back")
        expect(verdict).to_have_text(reader.says("VERIFIED"))
    reader.page.locator("#energy").fill("")
    expect(verdict).to_have_text(reader.says("NOT VALID"))
    reader.press("Put it back")
    reader.press("Double the energy")
    expect(verdict).to_have_text(reader.says("NOT VALID"))
    reader.page.get_by_text(reader.says("The twelve steps")).click()
    expect(reader.page.locator("#steps [data-step='1']")).to_have_text(reader.says("✗ wrong"))
    assert asked == []
    reader.fine("landing-altered")
    reader.context.close()


@pytest.mark.django_db(transaction=True)
def test_the_promise_and_the_ways_in_are_on_the_first_screen(chromium: Browser, live_server: LiveServer) -> None:
    reader: Reader = reader_at(chromium, live_server.url, "wide")
    reader.go("/")
    expect(reader.page.locator("#verdict")).to_have_text("VERIFIED")
    for place in (
        reader.page.locator("h1"),
        reader.page.get_by_role("link", name="Log in").first,
        reader.page.locator("#reason"),
    ):
        box = place.bounding_box()
        assert box and box["y"] + box["height"] < SIZES["wide"][1]
    reader.context.close()


@pytest.mark.django_db
def test_without_script_it_says_what_it_needs(client: Client) -> None:
    page = text(client, "/")
    assert 'id="live" hidden' in page and "needs JavaScript" in page
    for address in ("/login", "/verify", "/api/v1/docs", "/admin/", "/imprint", "/privacy", "/verify_receipt.py"):
        assert f'href="{address}"' in page, address


@pytest.mark.django_db
def test_who_is_logged_in_has_the_history_there(owner: User) -> None:
    client = Client()
    log_in(client, owner, second_factor=False)
    assert client.get("/")["Location"] == "/second-factor?next=/"
    log_in(client, owner)
    assert "My charging history" in text(client, "/")


@pytest.mark.django_db
def test_the_operator_is_named_as_it_is_set(client: Client, settings: Settings) -> None:
    settings.OPERATOR_NAME = settings.OPERATOR_ADDRESS = settings.OPERATOR_CONTACT = settings.OPERATOR_VAT_ID = ""
    assert "has not set name and address yet" in text(client, "/imprint")
    settings.OPERATOR_NAME, settings.OPERATOR_VAT_ID = "Harbour <Charging>", "DE123456789"
    settings.OPERATOR_ADDRESS, settings.OPERATOR_CONTACT = "Quay 1 | 20457 Hamburg", "help@harbour.example"
    page = text(client, "/imprint")
    assert "Harbour &lt;Charging&gt;<br>Quay 1<br>20457 Hamburg" in page and "DE123456789" in page
    assert 'href="mailto:help@harbour.example"' in page
    assert "Responsible is Harbour &lt;Charging&gt;" in text(client, "/privacy")
    assert "Harbour &lt;Charging&gt;" in text(client, "/verify").rpartition("<footer")[2]


@pytest.mark.django_db
def test_the_times_are_those_of_the_settings(client: Client, settings: Settings) -> None:
    settings.ACCESS_LOG_KEEP_DAYS = 77
    page = text(client, "/privacy")
    assert page.count("for 77 days") == 2 and "at most 12 hours" in page and "30 days" in page
