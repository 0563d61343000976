"""The pages for what went wrong: what happened, what was kept, what to do, an id to quote.

The id is in the log beside the error. 403 and 404 look the same to a stranger.
"""

import logging
import sys
import uuid
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

log = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    what = _("What your browser sent could not be understood.")
    return _page(request, 400, _("This request cannot be used"), what, _("Go back and try again."), exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403; who is not known hears 404."""
    if not _known(request):
        return not_found(request, exception)
    what = _("Your account has no right to see or do this.")
    todo = _("If you need it, ask the operator for the right.")
    return _page(request, 403, _("Not allowed"), what, todo, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, the same for what is not there and what is not yours."""
    what = _("There is no page at this address, or it is not yours to see.")
    todo = _("Check the address, or start from your history.")
    return _page(request, 404, _("Nothing here"), what, todo, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, with the id under which the log has it."""
    what = _("Something went wrong on our side.")
    todo = _("Try again in a moment. If it happens again, tell the operator the number below.")
    return _page(request, 500, _("This did not work"), what, todo, sys.exc_info()[1])


def _page(request: HttpRequest, status: int, title: str, what: str, todo: str, cause: object) -> HttpResponse:
    quote = uuid.uuid4().hex[:12]
    level = logging.ERROR if status == 500 else logging.INFO
    log.log(level, "problem %s: %s %s: %d, %s", quote, request.method, request.path, status, type(cause).__name__)
    if request.path.startswith(settings.ACCESS_OWN_PREFIXES):
        return _for_programs(status, f"{HTTPStatus(status).phrase}. Quote the number {quote}.")
    kept = _("Nothing was changed by this, and nothing is lost.")
    context = {"title": title, "what": what, "kept": kept, "todo": todo, "quote": quote, "back": "/"}
    # No request context for a 500: what failed may be the session or the database that it would read.
    text = render_to_string("errors/problem.html", context, request if status != 500 else None)
    return HttpResponse(text, status=status)


def _for_programs(status: int, detail: str) -> JsonResponse:
    """The same as problem+json (RFC 9457): programs read no pages."""
    codes = {400: "invalid_request", 403: "permission_denied", 404: "not_found", 500: "internal_error"}
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "code": codes[status], "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")


def _known(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(user and user.is_authenticated)
