"""Chromium for tests, the one way to ask a page, and the scripts served where WebCrypto and modules work."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar, cast

from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from dev import bootstrap
from tests.waiting import until

STATIC = Path(__file__).parents[1] / "static"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
# What Playwright and axe-core say when the page that was asked gave way to the next one.
WENT_AWAY = ("Execution context was destroyed", "page is navigating", "axe is not defined")
WHICH = "[document.readyState, performance.timeOrigin]"
T = TypeVar("T")


@contextmanager
def chromium_started(*flags: str) -> Iterator[Browser]:
    # Playwright's synchronous API runs an event loop in this thread, in which Django refuses the database otherwise.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=bootstrap.browser(), args=[*FLAGS, *flags])
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def settled(page: Page, ask: Callable[[], T]) -> T:
    """What `ask` finds in the page when it is loaded; asked again when another page came meanwhile.

    Whatever reads a page, and does not wait for an element as `expect` does, goes this way: after a click the next page
    may be on its way. Playwright's own `wait_for_function` is none: it looks once in the call, in which a page's policy
    is lifted, and again in the page's own time, in which a policy without 'unsafe-eval' refuses it. Nor is its load
    state alone enough: it may be of the page before, while the next one is there and half of it is not.
    """

    def once() -> list[T]:
        page.wait_for_load_state()
        try:
            state, began = page.evaluate(WHICH)
            found = ask() if state == "complete" else None
            same = state == "complete" and page.evaluate(WHICH) == [state, began]
            return [cast(T, found)] if same else []
        except BrowserError as error:
            if not any(words in error.message for words in WENT_AWAY):
                raise
            return []

    (found,) = until(once, what="the page stood still")
    return found


def evaluated(page: Page, expression: str, argument: object = None) -> Any:
    """What JavaScript says in the loaded page. It may be asked twice, see `settled`."""
    return settled(page, lambda: page.evaluate(expression, argument))


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript"}

    def log_message(self, format: str, *args: object) -> None:
        """The tests' output is for the tests."""


@contextmanager
def static_served() -> Iterator[str]:
    """The static files alone, without the portal; yields their address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(STATIC)))
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
