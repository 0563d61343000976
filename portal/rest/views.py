"""REST for people and programs: sessions with meter values, record, receipt and proof; monthly sums; the ledger."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from accounts.privacy.access_log import Look, access_note_all
from api.lists import DetailView, ListView, RowsView
from api.throttling import CallerThrottle, CostlyThrottle
from api.view import ApiView
from ledger.errors import NotRecordedYet, RecordError
from ledger.receipts import checks
from ledger.receipts.receipt import ReceiptError
from ledger.state.rows import in_rows, with_record
from portal.rest import serializers
from portal.rest.filters import SessionFilter
from portal.rest.sums import ledger_now, months_of
from stations.models import ChargingSession, MeterValue

READ = {"GET": "sessions.read"}


class SessionRows(RowsView):
    """All that an answer reads, in one query; without the transactions' bytes."""

    queryset = with_record(ChargingSession.objects.all())
    serializer_class: Any = serializers.SessionSerializer
    scopes = READ

    def looked_at(self, rows: list[ChargingSession]) -> None:
        """Called with each page before it is answered."""
        session_looked_at(self.request, rows)


def session_looked_at(request: Request, rows: Sequence[ChargingSession]) -> None:
    """Each customer reads later that somebody else looked at their sessions, and who."""
    caller: Any = request.user
    viewer = caller if isinstance(caller, User) else f"program {caller.client.name}"
    customers = {row.customer_id for row in rows}
    subject = str(rows[0].pk) if rows else ""
    access_note_all(viewer=viewer, customers=customers, what=Look.API, subject=subject)


class SessionsView(SessionRows, ListView):
    queryset = in_rows(ChargingSession.objects.all())
    filterset_class = SessionFilter
    operations = {"GET": "sessions_list"}
    ordering = ("-started_at", "-id")

    def get_ordering(self) -> tuple[str, ...]:
        """By time as the caller wants it, then by id in the same direction: a cursor needs a total order."""
        first = self.request.query_params.get("order", "-started_at")
        return (first, "-id" if first.startswith("-") else "id")


class SessionView(SessionRows, DetailView):
    operations = {"GET": "sessions_get"}


class MeterValuesView(ListView):
    """In the order of time."""

    serializer_class = serializers.MeterValueSerializer
    scopes, operations = READ, {"GET": "sessions_meter_values"}
    ordering = ("sampled_at", "id")

    def visible(self) -> QuerySet[MeterValue]:
        """Of the one session in the address; 404 where the caller may not see it."""
        session = get_object_or_404(ChargingSession.objects.visible_to(self.request.user), pk=self.kwargs["id"])
        session_looked_at(self.request, [session])
        return MeterValue.objects.filter(session=session)


class EntryView(SessionRows):
    serializer_class = serializers.EntrySerializer
    operations = {"GET": "sessions_ledger"}

    def get(self, request: Request, **kwargs: Any) -> Response:
        """All null where the session is from before recording began, or still charging."""
        shown = serializers.entry_shown
        session = self.row()
        return Response(shown(session, chain_id=settings.LEDGER_CHAIN_ID, account=settings.LEDGER_ACCOUNT))


class NotRecorded(exceptions.APIException):
    status_code = 409
    default_code = "not_recorded"


class ReceiptView(SessionRows):
    """The receipt (`evportal-receipt/2`): with it anybody checks the record without us."""

    operations = {"GET": "sessions_receipt"}

    def get(self, request: Request, **kwargs: Any) -> Response:
        """409 where there is none (yet), with the reason."""
        session = self.row()
        try:
            return Response(checks.receipt_for(session))
        except (NotRecordedYet, RecordError, ReceiptError) as error:
            raise NotRecorded(str(error)) from error


class ProofView(SessionRows):
    """The twelve steps, taken now with the nodes of the settings; what they find is kept on the ledger entry."""

    serializer_class = serializers.ProofSerializer
    operations = {"GET": "sessions_proof"}
    throttle_classes = [CostlyThrottle, CallerThrottle]

    def get(self, request: Request, **kwargs: Any) -> Response:
        """Reads whole blocks of every node, so it takes seconds; 409 where there is nothing to check (yet)."""
        session = self.row()
        try:
            check = checks.verify_session(session)
        except (NotRecordedYet, RecordError, ReceiptError) as error:
            raise NotRecorded(str(error)) from error
        now, nodes = serializers.moment(timezone.now()), settings.LEDGER_NODES
        shown, notices = [asdict(step) for step in check.steps], asdict(check.notices)
        content = {"verdict": check.verdict, "checked_at": now, "nodes": nodes, "steps": shown, "notices": notices}
        return Response(content)


class StatementsView(ApiView):
    """A person's own months, the newest first, as the statements have them."""

    serializer_class = serializers.StatementsSerializer
    scopes, operations = {"GET": "statements.read"}, {"GET": "statements_list"}

    def get(self, request: Request) -> Response:
        """403 for a program, which has no months of its own."""
        if not isinstance(request.user, User):
            raise exceptions.PermissionDenied("statements are a person's: expected a personal token")
        where, months = months_of(request.user)
        return Response({"time_zone": where.key, "months": months})


class LedgerView(ApiView):
    serializer_class = serializers.LedgerSerializer
    scopes, operations = {"GET": "ledger.read"}, {"GET": "ledger_get"}

    def get(self, request: Request) -> Response:
        """The chain's part is asked of a node, at most once in two seconds."""
        return Response(ledger_now(datetime.now(tz=timezone.get_default_timezone())))
