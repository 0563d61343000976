"""A statement as a file: PDF, made at once or, where it is long, in the background with its progress; and CSV.

What is made in the background waits in the cache for ten minutes, under the fingerprint of what it prints. The cache
is no truth: what is gone from it is made again, and without Redis or a worker the paper is made while the reader waits.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.template.loader import render_to_string
from django.utils import translation

from common.announce import UNREACHABLE, announce
from ledger.receipts.link import qr_svg
from portal.invoice.invoice import Invoice
from portal.invoice.of_statement import NoInvoice, embedded_of
from portal.session.csv import csv_lines
from portal.statements.statements import Statement, check_address, sessions_in
from portal.welcome.operator import operator

log = logging.getLogger(__name__)
SHORT_LINES = 80  # made in less than 2 s: 10 to 20 ms a line
LINES_A_PAGE = 26
KEPT_S = 600
SILENT_AFTER_S = 20  # a maker that says nothing for so long is gone


def statement_name(statement: Statement, ending: str) -> str:
    """The file's name for a download or an attachment, the same in every language."""
    return f"evportal-statement-{statement.period}.{ending}"


def statement_pdf(*, statement: Statement, on_page: Callable[[int], None] | None = None) -> bytes:
    """The paper in the language that is active. The same bytes each time, while nothing that it prints changes."""
    from common import pdf  # here, as it loads weasyprint: half a second that no other command has to wait for

    context = {
        "statement": statement,
        "sums": statement.sums,
        "chain_id": settings.LEDGER_CHAIN_ID,
        "account": settings.LEDGER_ACCOUNT,
        "invoice": statement.invoice if isinstance(statement.invoice, Invoice) else None,
        "no_invoice": statement.invoice.reason if isinstance(statement.invoice, NoInvoice) else "",
        "operator": operator(),
        "check_address": check_address(),
        "qr": qr_svg(check_address()) if check_address() else "",
    }
    html = render_to_string("portal/statements/paper.html", context)
    css = render_to_string("portal/statements/paper.css")
    embedded = embedded_of(statement.invoice) if isinstance(statement.invoice, Invoice) else None
    return pdf.pdf(html, css, identifier=statement.fingerprint[:32], on_page=on_page, embedded=embedded)


def statement_csv(*, statement: Statement) -> Iterator[str]:
    """The same sessions as the history's export has them; `status` tells which are not billed."""
    return csv_lines(sessions_in(statement.owner, statement.period))


# --- In the background


@dataclass(frozen=True)
class Making:
    """How far a paper is: `page` is being laid out of about `pages`; `silent` when nobody works at it."""

    page: int
    pages: int
    silent: bool


def is_short(statement: Statement) -> bool:
    """Whether a reader can wait for it within the request."""
    return len(statement.billed) + len(statement.not_billed) <= SHORT_LINES


def statement_pdf_soon(*, statement: Statement) -> bytes | Making:
    """The paper where it is short or made already; else how far it is, after asking for it where nobody has.

    Also made here and now where there is no Redis to ask.
    """
    if is_short(statement):
        return statement_pdf(statement=statement)
    key = _key(statement)
    try:
        made: bytes | None = cache.get(f"{key}:pdf")
        if made is not None:
            return made
        if cache.add(key, (0, time.time()), timeout=KEPT_S):
            _ask(statement)
        page, heard_at = cache.get(key) or (0, time.time())
    except UNREACHABLE as error:
        log.info("statement %s is made at once: %s", statement.period, error)
        return statement_pdf(statement=statement)
    lines = len(statement.billed) + len(statement.not_billed)
    return Making(page, max(page, 1 + lines // LINES_A_PAGE), time.time() - heard_at > SILENT_AFTER_S)


def statement_pdf_keep(*, statement: Statement) -> None:
    """Make the paper and leave it for the reader, telling on the way how far it is."""
    key = _key(statement)
    made = statement_pdf(statement=statement, on_page=lambda page: cache.set(key, (page, time.time()), KEPT_S))
    cache.set(f"{key}:pdf", made, KEPT_S)
    cache.delete(key)


def _ask(statement: Statement) -> None:
    announce("ledger.tasks.statement_make", statement.owner.pk, str(statement.period), translation.get_language())


def _key(statement: Statement) -> str:
    return f"statement:{statement.owner.pk}:{statement.fingerprint}:{translation.get_language()}"
