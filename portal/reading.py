"""What the driver's pages have in common: who reads, what of a session he may see, and what cannot be done."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import User
from accounts.privacy.access_log import Look, access_note
from ledger.state.rows import ALONE, with_record
from stations.charging.corrections import with_credits
from stations.models import ChargingSession, ChargingSessionQuerySet, Connector, IdToken, Station


class Used(NamedTuple):
    """An outlet and a token that charged together, where that was, and when the last time."""

    site: str
    site_name: str
    time_zone: str | None
    station_id: int
    station: str
    outlet_id: int
    evse_id: int
    connector_id: int
    token_id: int | None
    uid: str | None
    type: str | None
    newest: datetime


def reader_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user


def in_rows_of(used: Sequence[Used], sessions: ChargingSessionQuerySet) -> list[ChargingSession]:
    """The same where it is known already which outlets and tokens there are: without joining what they are called."""
    found = list(with_credits(sessions).select_related("ledger_entry__transaction").only(*ALONE))
    outlets = {(one.station_id, one.outlet_id): _outlet(one, sessions.db) for one in used}
    tokens = {one.token_id: _token(one, sessions.db) for one in used if one.token_id}
    for session in found:
        outlet = outlets.get((session.station_id, session.connector_id))
        token = tokens.get(session.id_token_id) if session.id_token_id else None
        if outlet:  # else it came meanwhile, and is read when somebody asks
            session.connector, session.station = outlet, outlet.station
        if token:
            session.id_token = token
    return found


def _outlet(one: Used, db: str) -> Connector:
    """With its station; what else they have is read when somebody asks."""
    names = ("id", "station_id", "evse_id", "connector_id")
    outlet = Connector.from_db(db, names, (one.outlet_id, one.station_id, one.evse_id, one.connector_id))
    outlet.station = Station.from_db(db, ("id", "identity"), (one.station_id, one.station))
    return outlet


def _token(one: Used, db: str) -> IdToken:
    return IdToken.from_db(db, ("id", "uid", "type"), (one.token_id, one.uid, one.type))


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
