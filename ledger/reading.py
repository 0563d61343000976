"""What the driver's pages have in common: who reads, what of a session he may see, and what cannot be done."""

from collections.abc import Sequence
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts.access_log import Look, access_note
from accounts.models import User
from ledger.history import Used
from stations.corrections import with_credits
from stations.models import ChargingSession, ChargingSessionQuerySet, Connector, IdToken, Station


def reader_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user


def with_record(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
    """All that a row of a page reads, `credit_pk` too, in one query; without the transactions' bytes."""
    related = ("station", "connector", "id_token", "ledger_entry__transaction")
    return with_credits(sessions).select_related(*related).defer("ledger_entry__transaction__packed")


# What rows of lists read; another column costs each of them a query, which the tests that count queries notice.
_ALONE = (
    *(field.name for field in ChargingSession._meta.concrete_fields),
    *(f"ledger_entry__{name}" for name in ("session", "salt", "canonical", "digest", "opened_at", "erased_at")),
    *(f"ledger_entry__{name}" for name in ("mismatch", "conflict")),
    *(f"ledger_entry__transaction__{name}" for name in ("status", "error_code", "transaction_id", "block_num")),
    "ledger_entry__transaction__irreversible_at",
)
_PLACES = ("station__identity", "connector__evse_id", "connector__connector_id", "id_token__uid", "id_token__type")


def in_rows(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
    """The same for many sessions at once: no more columns than a row of a list, a file or an API answer reads."""
    return with_record(sessions).only(*_ALONE, *_PLACES)


def in_rows_of(used: Sequence[Used], sessions: ChargingSessionQuerySet) -> list[ChargingSession]:
    """The same where it is known already which outlets and tokens there are: without joining what they are called."""
    found = list(with_credits(sessions).select_related("ledger_entry__transaction").only(*_ALONE))
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
