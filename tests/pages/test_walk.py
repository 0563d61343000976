"""The whole way in a real browser: login, history, filter, session, check, receipt; wide and narrow, light and dark."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from dev.nodeos import Nodeos
from ledger.models import LedgerEntry
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import all_recorded, drive
from tests.pages.conftest import MakeSession, MakeTransaction
from tests.people import browser_log_in

pytestmark = pytest.mark.django_db(transaction=True)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Playwright's synchronous API runs an event loop in this thread, in which Django refuses the database otherwise.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Reader:
    """A person at a screen, who also notices what the console says and whether the page is too wide."""

    def __init__(self, context: BrowserContext, base: str, width: int) -> None:
        self.context, self.base, self.width = context, base, width
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self._hear("error", str(error)))

    def _hear(self, kind: str, words: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(words)

    def login(self, user: User) -> None:
        browser_log_in(self.page, self.base, user)

    def look(self) -> None:
        """Nothing in the console, nothing sideways."""
        assert self.complaints == []
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width, self.page.url


def reader_at(chromium: Browser, base: str, size: str, scheme: str = "light", **options: bool) -> Reader:
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    context = chromium.new_context(viewport=viewport, color_scheme=scheme, **options)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    return Reader(context, base, width)


@pytest.fixture
def two_nodes(ledger_account: LedgerAccount, second_node: Nodeos, settings: Settings) -> list[str]:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    return list(settings.LEDGER_NODES)


def walk(reader: Reader, directory: Path) -> dict[str, object]:
    """From the login to a downloaded receipt."""
    page = reader.page
    reader.login(User.objects.get(username="anna"))
    expect(page.get_by_role("heading", name="My charging history")).to_be_visible()
    reader.look()
    page.get_by_label("Record").select_option(label="Recorded")
    page.get_by_label("From").fill("2026-03-01")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("2 sessions")).to_be_visible()
    expect(page.get_by_label("From")).to_have_value("2026-03-01")
    reader.look()
    page.locator("[data-session] a").first.click()
    expect(page.locator(".panel")).to_contain_text("Recorded, block")
    page.get_by_text("Show every id in full").click()
    reader.look()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download receipt").click()
    file = directory / download.value.suggested_filename
    download.value.save_as(file)
    page.get_by_role("link", name="Verify now").click()
    expect(page.get_by_role("status")).to_have_text("Verified")
    expect(page.locator("[data-outcome=ok]")).to_have_count(10)
    expect(page.get_by_text("What the nodes say: the chain has 1 producer.")).to_be_visible()
    reader.look()
    expect(page.get_by_role("button", name="Log out anna")).to_be_visible()  # pressed in tests/accounts/test_walk.py
    found: dict[str, object] = json.loads(file.read_text())
    return found


def test_from_login_to_a_verified_receipt(
    chromium: Browser,
    live_server: LiveServer,
    two_nodes: list[str],
    close_sessions: CloseSessions,
    tmp_path: Path,
) -> None:
    sessions = close_sessions(2)
    drive(all_recorded)
    for size, scheme in (("wide", "light"), ("narrow", "dark")):
        reader = reader_at(chromium, live_server.url, size, scheme)
        receipt = walk(reader, tmp_path)
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
    page.goto(f"{live_server.url}/")
    expect(page.get_by_role("link", name="Log in")).to_be_focused()
    reader.login(User.objects.get(username="anna"))
    expect(page.get_by_role("heading", name="My charging history")).to_be_visible()
    page.locator("[data-session] a").first.focus()
    page.keyboard.press("Enter")
    page.locator("summary").focus()
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
    assert reader.page.evaluate("navigator.clipboard.readText()") == str(session.pk)
    reader.context.close()


def test_the_colours_follow_the_system_and_a_choice_wins(
    chromium: Browser, live_server: LiveServer, owner: User
) -> None:
    """The surface's brightness, which the policy and the stylesheet decide together."""
    surface = "getComputedStyle(document.body).backgroundColor"
    for scheme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 25, 27)")):
        reader = reader_at(chromium, live_server.url, "wide", scheme)
        reader.page.goto(f"{live_server.url}/login")
        assert reader.page.evaluate(surface) == colour
        reader.page.get_by_label("Colours").select_option("light" if scheme == "dark" else "dark")
        reader.page.get_by_role("button", name="Set").click()
        assert reader.page.evaluate(surface) != colour
        reader.context.close()


@pytest.mark.parametrize("size", SIZES)
def test_the_admin_lives_with_the_strict_policy(
    chromium: Browser, live_server: LiveServer, make_session: MakeSession, size: str
) -> None:
    """Lists, filters, autocompletion (which brings scripts and styles of its own) and an action."""
    session = make_session()
    olga = User.objects.create_user("olga", is_staff=True, is_superuser=True)
    reader = reader_at(chromium, live_server.url, size)
    reader.login(olga)
    page = reader.page
    for address in ("", "stations/chargingsession/", f"stations/chargingsession/{session.pk}/change/", "ledger/alert/"):
        page.goto(f"{live_server.url}/admin/{address}")
        reader.look()
    page.goto(f"{live_server.url}/admin/stations/idtoken/add/")
    page.locator(".select2-selection").click()
    page.locator(".select2-search__field").fill("ann")
    page.locator(".select2-results__option", has_text="anna").click()
    reader.look()
    page.goto(f"{live_server.url}/admin/ledger/ledgerentry/")
    page.locator("input.action-select").first.check()
    page.locator("select[name=action]").select_option("send_again")
    page.get_by_role("button", name="Go").click()
    expect(page.locator(".messagelist")).to_contain_text("there is nothing to send")
    reader.look()
    reader.context.close()
