"""The whole way in a real browser: login, history, filter, session, check, receipt; wide and narrow, light and dark."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from dev.chain.nodeos import Nodeos
from ledger.models import LedgerEntry
from tests.browsers import evaluated
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import all_recorded, drive
from tests.portal.conftest import MakeSession, MakeTransaction
from tests.readers import SIZES, Reader, reader_at
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


ONE_PRODUCER = {
    "en": "The chain has 1 producer.",
    "de": "Die Chain hat 1 Produzenten.",
}


@pytest.fixture
def two_nodes(ledger_account: LedgerAccount, second_node: Nodeos, settings: Settings) -> list[str]:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    return list(settings.LEDGER_NODES)


def walk(reader: Reader) -> dict[str, object]:
    """From the login to a downloaded receipt and a session that was verified."""
    page = reader.page
    reader.login(User.objects.get(username="anna"))
    reader.sees("My charging history")
    if reader.width == SIZES["narrow"][0]:  # the list comes first: the filter opens on a touch
        page.locator(".filter-box > summary").click()
    page.get_by_label(reader.says("Record"), exact=True).select_option("recorded")
    since = page.get_by_label(reader.says("From"), exact=True)
    since.fill("2026-03-01")
    page.locator(".filter button").click()
    expect(page.locator("[data-session]")).to_have_count(2)
    expect(since).to_have_value("2026-03-01")  # whether it is seen or not
    reader.look()
    export = page.get_by_role("link", name=reader.says("Export as CSV"))
    rows = csv.DictReader(io.StringIO(reader.downloads(export).decode()))
    assert len(list(rows)) == 2
    page.locator("[data-session] a").first.click()
    expect(page.locator(".panel")).to_contain_text(reader.says("Recorded"))
    page.get_by_text(reader.says("Show every id in full")).click()
    reader.look()
    found: dict[str, object] = json.loads(reader.downloads(page.locator("a[href$='receipt.json']").first))
    reader.press("Verify now")
    expect(page.get_by_role("status")).to_have_text(reader.says("VERIFIED"))
    expect(page.locator("[data-outcome=ok]")).to_have_count(12)
    expect(page.get_by_text(ONE_PRODUCER[reader.language])).to_be_visible()
    reader.fine("verified")
    return found


def test_from_login_to_a_verified_receipt(
    chromium: Browser,
    live_server: LiveServer,
    two_nodes: list[str],
    close_sessions: CloseSessions,
) -> None:
    sessions = close_sessions(2)
    drive(all_recorded)
    for size, scheme, language in (("wide", "light", "en"), ("narrow", "dark", "de")):
        reader = reader_at(chromium, live_server.url, size, scheme, language)
        receipt = walk(reader)
        assert receipt["record"]["id"] == str(sessions[1].pk)  # type: ignore[index]
        reader.context.close()


def test_the_command_on_the_page_works_without_us(
    chromium: Browser,
    live_server: LiveServer,
    two_nodes: list[str],
    close_sessions: CloseSessions,
    tmp_path: Path,
) -> None:
    """Script and receipt are downloaded, the command is run as the page has it."""
    close_sessions()
    drive(all_recorded)
    reader = reader_at(chromium, live_server.url, "wide")
    walk_page = reader.page
    reader.login(User.objects.get(username="anna"))
    walk_page.locator("[data-session] a").first.click()
    walk_page.get_by_role("link", name="Verify now").click()
    command = walk_page.locator("pre.command").inner_text()
    for name in ("the script", "receipt"):
        link = walk_page.get_by_role("link", name=name, exact=True)
        with walk_page.expect_download() as download:
            link.click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
    python = command.replace("python3 ", f"{sys.executable} ", 1)
    done = subprocess.run(["sh", "-c", python], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERIFIED" in done.stdout
    reader.context.close()


def test_a_state_that_moves_is_told_without_reloading(
    chromium: Browser, live_server: LiveServer, make_session: MakeSession, make_transaction: MakeTransaction
) -> None:
    session = make_session("SENT")
    reader = reader_at(chromium, live_server.url, "narrow")
    reader.login(User.objects.get(username="anna"))
    reader.page.goto(f"{live_server.url}/sessions/{session.pk}")
    expect(reader.page.locator(".panel")).to_contain_text("Being recorded, since")
    recorded = make_transaction("IRREVERSIBLE", block_num=12, irreversible_at=session.stopped_at)
    LedgerEntry.objects.filter(session=session).update(transaction=recorded)
    expect(reader.page.locator(".panel")).to_contain_text("Recorded, block 12")
    reader.look()
    reader.context.close()


def test_all_of_it_works_without_script_and_by_keyboard(
    chromium: Browser, live_server: LiveServer, make_session: MakeSession
) -> None:
    make_session()
    reader = reader_at(chromium, live_server.url, "narrow", java_script_enabled=False)
    page = reader.page
    page.goto(f"{live_server.url}/login")
    expect(page.get_by_role("link", name="Log in")).to_be_focused()
    reader.login(User.objects.get(username="anna"))
    expect(page.get_by_role("heading", name="My charging history")).to_be_visible()
    page.locator("[data-session] a").first.focus()
    page.keyboard.press("Enter")
    page.locator("#exact-terms > summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Transaction id")).to_be_visible()
    expect(page.locator("button.copy")).to_have_count(0)
    page.get_by_label("Colours").select_option("dark")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.locator(".panel")).to_contain_text("Recorded, block")
    reader.context.close()


def test_what_is_exact_can_be_copied(chromium: Browser, live_server: LiveServer, make_session: MakeSession) -> None:
    session = make_session()
    reader = reader_at(chromium, live_server.url, "wide")
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reader.login(User.objects.get(username="anna"))
    reader.page.goto(f"{live_server.url}/sessions/{session.pk}")
    reader.page.get_by_role("button", name="Copy the session's id").click()
    until(lambda: evaluated(reader.page, "navigator.clipboard.readText()") == str(session.pk), what="it was copied")
    reader.context.close()


def test_the_colours_follow_the_system_and_a_choice_wins(
    chromium: Browser, live_server: LiveServer, owner: User
) -> None:
    """The surface's brightness, which the policy and the stylesheet decide together."""
    for scheme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 25, 27)")):
        reader = reader_at(chromium, live_server.url, "wide", scheme)
        reader.page.goto(f"{live_server.url}/login")
        surface = reader.page.locator("body")
        expect(surface).to_have_css("background-color", colour)
        reader.page.get_by_label("Colours").select_option("light" if scheme == "dark" else "dark")
        reader.page.get_by_role("button", name="Set").click()
        expect(surface).not_to_have_css("background-color", colour)
        reader.context.close()
