"""The check for everybody (/verify), which runs in the browser."""

from collections.abc import Callable
from functools import wraps

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.login.access import public
from ledger import standalone
from ledger.receipts.published import check_command, public_nodes, published_keys
from ledger.receipts.words import MEANINGS, TITLES, VERDICTS

OWN_MACHINE = ("http://127.0.0.1:*", "http://localhost:*")
View = Callable[[HttpRequest], HttpResponse]


def asks_nodes(view: View) -> View:
    """Let this page's scripts ask nodes of the chain, and only them: `connect-src` without 'self'.

    Not only the published nodes: the point of the check is that the reader need not believe us, so they may name nodes
    of their own, any with HTTPS and those of their machine. A receipt names no nodes, so whoever sends one cannot make
    a browser ask anybody. What our scripts tell a node is numbers of block and record (static/js/verify/node.js),
    scripts of others do not run here (`default-src 'self'`), and the requests carry no cookies.
    """

    @wraps(view)
    def asking(request: HttpRequest) -> HttpResponse:
        allowed = [*public_nodes(), *OWN_MACHINE, "https:"]
        response: HttpResponse = csp_update({"connect-src": allowed})(view)(request)  # type: ignore[assignment]
        return response

    return asking


@public
@require_safe
@asks_nodes
def public_check(request: HttpRequest) -> HttpResponse:
    """The same page for everybody: the receipt never comes here."""
    keys = published_keys()
    context = {
        "titles": TITLES,
        "verdicts": VERDICTS,
        "meanings": MEANINGS,
        "nodes": public_nodes(),
        "chain_id": settings.LEDGER_CHAIN_ID,
        "keys": keys,
        "account": settings.LEDGER_ACCOUNT,
        "code_hash": settings.LEDGER_CODE_HASH,
        "code_updated": settings.LEDGER_CODE_UPDATED,
        "checksums": standalone.checksums(),
        "checksums_beside": standalone.checksums_beside(),
        "command": check_command("RECEIPT.json", next(iter(keys), "")),
    }
    return render(request, "portal/check/verify.html", context)
