"""What the driver's pages have in common: who reads, what of a session they may see, and what cannot be done."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import User
from accounts.privacy.access_log import Look, access_note
from ledger.state.rows import with_record
from stations.models import ChargingSession


def reader_of(request: HttpRequest) -> User:
    """Who is logged in: in a support view the customer whose pages are shown."""
    assert isinstance(request.user, User)  # behind login_required
    return request.user


def session_read(request: HttpRequest, session_id: UUID, look: Look = Look.SESSION) -> ChargingSession:
    """The session, if this reader may see it; else 404, whether it exists or not. A look of staff is noted."""
    session = with_record(ChargingSession.objects.visible_to(request.user)).filter(pk=session_id).first()
    if session is None:
        raise Http404(f"no session {session_id} for this reader")
    access_note(viewer=reader_of(request), customer=session.customer_id, what=look, subject=str(session.pk))
    return session


def problem(request: HttpRequest, status: int, title: str, what: str, todo: str, *, back: str = "") -> HttpResponse:
    """The page for what cannot be done: what happened, what was kept, what to do."""
    kept = gettext("Nothing was changed by this, and nothing is lost.")
    context = {"title": title, "what": what, "kept": kept, "todo": todo, "back": back or reverse("history")}
    return render(request, "errors/problem.html", context, status=status)
