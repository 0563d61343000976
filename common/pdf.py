"""HTML to PDF: the one user of weasyprint. Nothing is fetched: no address in a paper is ever opened, local or not."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NoReturn, Protocol

from django.utils.html import escape
from django.utils.translation import gettext
from weasyprint import CSS, HTML, Attachment
from weasyprint.urls import FatalURLFetchingError, URLFetcher

# Its step-by-step log, which says "Step 5 - Creating layout - Page 7"; settings.LOGGING keeps it to us.
_progress = logging.getLogger("weasyprint.progress")
_warnings = logging.getLogger("weasyprint")
log = logging.getLogger(__name__)

OnPage = Callable[[int], None]


class Embedded(Protocol):
    """A file inside of a paper; `xmp` are RDF descriptions that say of it what its readers look for."""

    @property
    def name(self) -> str: ...
    @property
    def content(self) -> bytes: ...
    @property
    def description(self) -> str: ...
    @property
    def moment(self) -> datetime: ...
    @property
    def xmp(self) -> bytes: ...


class PaperError(Exception):
    """The paper was to fetch something. That is a fault of the template, or somebody tries to make us fetch."""


class _Nothing(URLFetcher):  # type: ignore[misc]  # weasyprint has no types
    """Opens nothing at all. Fatal, because weasyprint would otherwise only leave the picture out."""

    def fetch(self, url: str, headers: object = None) -> NoReturn:
        """Always raises FatalURLFetchingError."""
        raise FatalURLFetchingError(f"a paper fetches nothing, was to fetch {url[:200]!r}")


def pdf(
    html: str, css: str, *, identifier: str, on_page: OnPage | None = None, embedded: Embedded | None = None
) -> bytes:
    """A PDF/UA-1 file; the same text with the same `identifier` gives the same bytes. Raises PaperError.

    With a file `embedded` in it, it is PDF/A-3A and PDF/UA-1 at once.

    `on_page` hears the number of each page that is laid out, in this thread. About 10 ms for a line of a statement.
    Letters that no font of this machine has stand as their numbers, "[U+5C71]", and the paper says so at its end: boxes
    would be the same for every name.
    """
    made, missing = _made(html, css, identifier, on_page, embedded)
    if not missing:
        return made
    log.warning("no font has %s: install fonts-noto-core and fonts-noto-cjk", " ".join(map(_number, sorted(missing))))
    told = html.translate({code: f"[{_number(code)}]" for code in missing})
    before, end, after = told.rpartition("</body>")
    note = gettext(
        "Some letters are missing in the fonts with which this paper was made: their Unicode numbers stand for them."
    )
    note = f'<p class="missing-letters">{escape(note)}</p>'
    return _made(f"{before}{note}{end}{after}", css, identifier, on_page, embedded)[0]


def _number(code: int) -> str:
    return f"U+{code:04X}"


def _made(
    html: str, css: str, identifier: str, on_page: OnPage | None, embedded: Embedded | None
) -> tuple[bytes, set[int]]:
    """The file, and the letters (as numbers) of which it shows a box only."""
    missing: set[int] = set()
    try:
        with _heard(_progress, _Pages(on_page)), _heard(_warnings, _Boxes(missing.add)):
            document = HTML(string=html, url_fetcher=_Nothing())
            sheet = CSS(string=css, url_fetcher=_Nothing())
            form: dict[str, Any] = {"pdf_variant": "pdf/ua-1", "pdf_identifier": identifier.encode()}
            made: bytes = (
                _with_file(document.render(stylesheets=[sheet]), embedded, form)
                if embedded
                else document.write_pdf(stylesheets=[sheet], **form)
            )
    except FatalURLFetchingError as error:  # a BaseException, which must not end a worker
        raise PaperError(str(error)) from error
    return made, missing


def _with_file(document: Any, embedded: Embedded, form: dict[str, Any]) -> bytes:
    """The laid out document as PDF/A-3A, with the file, and with what its metadata say of it."""
    metadata = document.metadata
    of_weasyprint: Callable[..., bytes] = metadata.generate_rdf_metadata

    def metadata_of(*arguments: Any) -> bytes:
        """One RDF for all: readers look into the first one only."""
        before, end, after = of_weasyprint(*arguments).rpartition(b"</rdf:RDF>")
        return before + embedded.xmp + end + after

    metadata.generate_rdf_metadata = metadata_of
    file = Attachment(
        string=embedded.content,
        name=embedded.name,
        description=embedded.description,
        relationship="Alternative",
        created=embedded.moment,
        modified=embedded.moment,
    )
    options = {**form, "pdf_variant": "pdf/a-3a", "attachments": [file]}
    made: bytes = document.write_pdf(finisher=lambda document, pdf: _named_once(pdf), **options)
    return made


def _named_once(pdf: Any) -> None:
    """weasyprint 70.0 names each attachment twice among the associated files."""
    files = pdf.catalog.get("AF", [])
    files[:] = dict.fromkeys(files)


@contextmanager
def _heard(logger: logging.Logger, listener: logging.Handler) -> Iterator[None]:
    logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)


class _Listener(logging.Handler):
    """Hears of its own thread alone: others may make papers at the same time."""

    def __init__(self, tell: Callable[[int], None] | None) -> None:
        super().__init__()
        self._tell = tell
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Tells the number that the record is about, where it is about one."""
        if self._tell and record.thread == self._thread and isinstance(record.args, tuple):
            number = self.number(str(record.msg), record.args)
            if number is not None:
                self._tell(number)

    def number(self, message: str, arguments: tuple[object, ...]) -> int | None:
        """What this one listens for."""
        raise NotImplementedError


class _Pages(_Listener):
    """Which page is laid out."""

    def number(self, message: str, arguments: tuple[object, ...]) -> int | None:
        """As "Step 5 - Creating layout - Page 7" has it."""
        return int(str(arguments[0])) if "Page %d" in message else None


class _Boxes(_Listener):
    """Which letters no font has."""

    def number(self, message: str, arguments: tuple[object, ...]) -> int | None:
        """As ".notdef glyph rendered for Unicode string unsupported by fonts: ..." has it."""
        return int(str(arguments[-1])) if message.startswith(".notdef glyph") else None
