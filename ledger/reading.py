"""What the driver's pages have in common: who reads, what of a session he may see, and what cannot be done."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts.access_log import Look, access_note
from accounts.models import User
from stations.models import ChargingSession, ChargingSessionQuerySet


def reader_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user


def with_record(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
    """All that a row of a page reads, in one query; without the transactions' bytes."""
    related = ("station", "connector", "id_token", "ledger_entry__transaction")
    return sessions.select_related(*related).defer("ledger_entry__transaction__packed")


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
