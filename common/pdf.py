"""HTML to PDF: the one user of weasyprint. Nothing is fetched: no address in a paper is ever opened, local or not."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from weasyprint import CSS, HTML
from weasyprint.urls import FatalURLFetchingError, URLFetcher

# Its step-by-step log, which says "Step 5 - Creating layout - Page 7"; settings.LOGGING keeps it to us.
_progress = logging.getLogger("weasyprint.progress")

OnPage = Callable[[int], None]


class PaperError(Exception):
    """The paper was to fetch something. That is a fault of the template, or somebody tries to make us fetch."""


class _Nothing(URLFetcher):  # type: ignore[misc]  # weasyprint has no types
    """Opens nothing at all. Fatal, because weasyprint would otherwise only leave the picture out."""

    def fetch(self, url: str, headers: object = None) -> NoReturn:
        """Always raises FatalURLFetchingError."""
        raise FatalURLFetchingError(f"a paper fetches nothing, was to fetch {url[:200]!r}")


def pdf(html: str, css: str, *, identifier: str, on_page: OnPage | None = None) -> bytes:
    """A PDF/UA-1 file; the same text with the same `identifier` gives the same bytes. Raises PaperError.

    `on_page` hears the number of each page that is laid out, in this thread. About 10 ms for a line of a statement.
    """
    try:
        with _heard(on_page):
            document = HTML(string=html, url_fetcher=_Nothing())
            sheet = CSS(string=css, url_fetcher=_Nothing())
            form = {"pdf_variant": "pdf/ua-1", "pdf_identifier": identifier.encode()}
            made: bytes = document.write_pdf(stylesheets=[sheet], **form)
    except FatalURLFetchingError as error:  # a BaseException, which must not end a worker
        raise PaperError(str(error)) from error
    return made


@contextmanager
def _heard(on_page: OnPage | None) -> Iterator[None]:
    if on_page is None:
        yield
        return
    listener = _Listener(on_page)
    _progress.addHandler(listener)
    try:
        yield
    finally:
        _progress.removeHandler(listener)


class _Listener(logging.Handler):
    """Hears the pages of its own thread: others may make papers at the same time."""

    def __init__(self, on_page: OnPage) -> None:
        super().__init__()
        self._on_page = on_page
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Tells `on_page` which page is laid out, of this thread's paper alone."""
        if record.thread == self._thread and "Page %d" in str(record.msg) and isinstance(record.args, tuple):
            self._on_page(int(str(record.args[0])))
