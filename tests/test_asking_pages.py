"""Asking a page while it loads and while it gives way to another; the pages come with a policy like ours."""

import ast
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as BrowserError

from tests.browsers import evaluated, settled
from tests.readers import reader_at

TESTS = Path(__file__).parent
LEAPS = 3
SLOW_S = 0.5
# Only tests/browsers.py may use these: they look at once, whatever the page is about to do, or for a time.
HASTY = {"evaluate", "evaluate_all", "evaluate_handle", "eval_on_selector", "wait_for_function", "wait_for_timeout"}


class _Pages(BaseHTTPRequestHandler):
    """/slow has a picture that comes late; /leap/N goes on to /leap/N-1 by itself, /leap/0 and /stay/N do not."""

    def do_GET(self) -> None:
        kind, _, left = self.path.strip("/").partition("/")
        if kind == "picture":
            threading.Event().wait(SLOW_S)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", "default-src 'self'; script-src 'self'")
        if kind == "leap" and left != "0":
            self.send_header("Refresh", f"0; url=/leap/{int(left) - 1}")
        self.end_headers()
        body = '<img src="/picture" alt="">' if kind == "slow" else ""
        self.wfile.write(f"<!doctype html><html lang=en><title>{left}</title><main>{body}</main>".encode())

    def log_message(self, format: str, *args: object) -> None:
        """The tests' output is for the tests."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    yield page
    page.close()


def test_a_page_is_asked_when_it_is_loaded(page: Page, base: str) -> None:
    page.goto(f"{base}/slow", wait_until="commit")
    assert evaluated(page, "document.readyState") == "complete"


def test_a_reader_looks_while_the_page_still_loads(chromium: Browser, base: str) -> None:
    """As it once failed: asked in a frame of the page's own, where its policy holds, instead of from outside."""
    reader = reader_at(chromium, base, "wide")
    reader.page.goto(f"{base}/slow", wait_until="commit")
    reader.look()
    reader.context.close()


def test_a_page_that_went_on_is_asked_again(page: Page, base: str) -> None:
    """Only the last page answers: each one before it is left while it is being asked."""
    page.goto(f"{base}/stay/{LEAPS}")
    asked = []
    leaving = "(location.assign(`/stay/${document.title - 1}`), new Promise(() => {}))"

    def ask() -> object:
        asked.append(page.url)
        return page.evaluate(f"document.title === '0' ? document.title : {leaving}")

    assert settled(page, ask) == "0"
    assert set(asked) == {f"{base}/stay/{left}" for left in range(LEAPS + 1)}


def test_the_content_of_a_page_that_goes_on(page: Page, base: str) -> None:
    page.goto(f"{base}/leap/{LEAPS}", wait_until="commit")
    page.wait_for_url("**/leap/0", wait_until="commit")
    assert "<title>0</title>" in settled(page, page.content)


def test_another_error_is_not_asked_away(page: Page, base: str) -> None:
    page.goto(f"{base}/leap/0")
    with pytest.raises(BrowserError, match="nowhere is not defined"):
        evaluated(page, "nowhere.at.all")


def test_pages_are_asked_in_one_way() -> None:
    others = [path for path in TESTS.rglob("*.py") if path not in (TESTS / "browsers.py", Path(__file__))]
    hasty = {(str(path.relative_to(TESTS)), name) for path in others for name in _methods(path) & HASTY}
    assert not hasty, f"see settled() and evaluated() in tests/browsers.py: {sorted(hasty)}"


def _methods(path: Path) -> set[str]:
    text = path.read_text()
    if not any(f".{name}(" in text for name in HASTY):
        return set()
    calls = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {function.attr for function in calls if isinstance(function, ast.Attribute)}
