"""The public check, the receipt's page and the session's, without a browser: who gets them, and what they say."""

import re
from html import unescape

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ledger.receipts import receipt
from ledger.receipts.link import qr_svg, receipt_fragment
from ledger.receipts.published import public_nodes
from ledger.receipts.words import MEANINGS, TITLES
from tests.ledger.receipts.receipt_chain import Recorded
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import move

pytestmark = pytest.mark.django_db


def test_the_page_is_for_everybody_and_names_what_is_published(client: Client, published: Recorded) -> None:
    response = client.get("/verify")
    page = response.content.decode()
    for part in (*published.nodes, published.chain_id, published.key):
        assert part in page
    policy = response["Content-Security-Policy"]
    (sources,) = re.findall(r"connect-src ([^;]+)", policy)
    assert "'self'" not in sources.split() and set(published.nodes) < set(sources.split())
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert "camera=(self)" in response["Permissions-Policy"]
    assert "connect-src" not in client.get("/login")["Content-Security-Policy"]
    assert client.post("/verify", {"receipt": "{}"}).status_code in (403, 405)


def test_without_records_the_page_still_stands(client: Client, db: None) -> None:
    assert client.get("/verify").status_code == 200


def test_its_titles_are_those_of_the_steps() -> None:
    assert [str(title) for title in TITLES] == [title for title, _, _ in receipt.STEPS]


def test_what_fails_says_what_it_means_in_every_page(client: Client, db: None) -> None:
    assert sorted(MEANINGS) == [1, 2, *range(4, 13)]
    page = unescape(client.get("/verify").content.decode())
    assert [number for number, words in MEANINGS.items() if f'"meaning {number}">{words}<' not in page] == []


def test_published_nodes_are_the_ledger_s_unless_said_otherwise(settings: Settings) -> None:
    settings.LEDGER_NODES, settings.LEDGER_PUBLIC_NODES = ["http://inside:8888"], []
    assert public_nodes() == ["http://inside:8888"]
    settings.LEDGER_PUBLIC_NODES = ["https://node.example.org"]
    assert public_nodes() == ["https://node.example.org"]


def test_the_code_is_black_on_white_without_style(recorded: Recorded) -> None:
    svg = qr_svg(f"https://portal.example.org/verify#{receipt_fragment(recorded.receipt)}")
    assert svg.startswith("<svg") and "style=" not in svg and "<script" not in svg


def test_a_link_too_long_for_a_code_has_none(recorded: Recorded) -> None:
    link = "https://portal.example.org/verify#"
    assert len(qr_svg(link + "x" * 2_200)) > len(qr_svg(link + "x" * 1_000)) > 0
    assert qr_svg(link + "x" * 2_500).startswith("<svg")  # level L
    assert qr_svg(link + "x" * 3_000) == ""


def test_the_receipt_page_is_the_owner_s_alone(
    browser: Client, other_browser: Client, client: Client, make_session: MakeSession
) -> None:
    session = make_session()
    address = f"/sessions/{session.pk}/receipt"
    page = browser.get(address)
    assert page.status_code == 200 and "no-store" in page["Cache-Control"]
    assert '<svg viewBox="0 0' in page.content.decode() and "7780" in page.content.decode()
    assert other_browser.get(address).status_code == 404
    assert client.get(address).status_code == 302
    pending = make_session("SENT")
    assert "It is still being recorded." in browser.get(f"/sessions/{pending.pk}/receipt").content.decode()


def test_the_session_page_says_how_far_it_came(browser: Client, make_session: MakeSession) -> None:
    for status, done in ((None, 1), ("SENT", 3), ("IRREVERSIBLE", 5)):
        session = make_session(status)
        page = browser.get(f"/sessions/{session.pk}").content.decode()
        way = page[page.index('<ol class="way"') :].partition("</ol>")[0]
        assert way.count('class="done"') == done
        assert ("/verify#" in page) == (status == "IRREVERSIBLE")
    assert "In block 1,234,567" in page
    move(session, energy_wh=7_781)
    assert "/verify#" in browser.get(f"/sessions/{session.pk}").content.decode()  # the link shows what is wrong
