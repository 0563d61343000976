"""The check for everybody (/verify), which runs in the browser; and a receipt on paper, whose QR code opens it."""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import public
from accounts.access_log import Look
from ledger import checks, pages, receipt
from ledger.errors import NotRecordedYet, RecordError
from ledger.proof_words import TITLES
from ledger.reading import session_read
from ledger.receipt import ReceiptError
from ledger.receipt_link import qr_svg, receipt_fragment
from ledger.words import entry_of
from stations.words import period, zone

OWN_MACHINE = ("http://127.0.0.1:*", "http://localhost:*")
View = Callable[[HttpRequest], HttpResponse]


def asks_nodes(view: View) -> View:
    """Let this page's scripts ask nodes of the chain, and only them: `connect-src` without 'self'.

    Not only the published nodes: the point of the check is that the reader need not believe us, so he may name nodes
    of his own, any with HTTPS and those of his own machine. A receipt names no nodes, so whoever sends one cannot make
    a browser ask anybody. What our scripts tell a node is a block number and a ledger id (static/js/verify/node.js),
    scripts of others do not run here (`default-src 'self'`), and the requests carry no cookies.
    """

    @wraps(view)
    def asking(request: HttpRequest) -> HttpResponse:
        allowed = [*checks.public_nodes(), *OWN_MACHINE, "https:"]
        response: HttpResponse = csp_update({"connect-src": allowed})(view)(request)  # type: ignore[assignment]
        return response

    return asking


@public
@require_safe
@asks_nodes
def public_check(request: HttpRequest) -> HttpResponse:
    """The same page for everybody: the receipt never comes here."""
    keys = checks.published_keys()
    context = {
        "titles": TITLES,
        "nodes": checks.public_nodes(),
        "chain_id": settings.LEDGER_CHAIN_ID,
        "keys": keys,
        "command": pages._command_for("RECEIPT.json", next(iter(keys), "")),
    }
    return render(request, "check/verify.html", context)


@require_safe
@login_required
@never_cache
def receipt_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """The receipt to print: the figures, the record, every id in full, and the QR code that opens the public check."""
    session = session_read(request, session_id, Look.RECEIPT)
    reason = pages._no_receipt(session, entry_of(session))
    if reason:
        return pages._not_now(request, session, gettext("There is no receipt of this session"), reason)
    try:
        content = checks.receipt_for(session)
    except (NotRecordedYet, RecordError, ReceiptError) as error:
        return pages._not_now(request, session, gettext("No receipt can be made of this session"), pages._broken(error))
    address = request.build_absolute_uri(reverse("public_check"))
    link = f"{address}#{receipt_fragment(content)}"
    context = {
        "session": session,
        "period": period(session),
        "zone": zone(session),
        "receipt": content,
        "record": receipt.dumps(content["record"]),
        "made_in": checks.published_ak(content["public_key"]),
        "link": link,
        "qr": qr_svg(link),
        "address": address,
    }
    return render(request, "session/receipt.html", context)
